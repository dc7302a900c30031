"""A network as calls on stretches of memory.

segmented_program  stages of a plan as such calls
frozen_program     those of a network that no longer learns: images, outputs, constants, an arena
known_zeros        what is zero in them whenever it is read
llvm_module        the calls as one LLVM module
sample_runs        images and what a network says of them: the test vectors
"""
