"""Networks as code that runs by itself, on any processor that LLVM knows: no Python, no C library.

code_export           all of it: Network.export, and what it refuses
exported              files, and what they take on the other machine
memory_limits         what a chip has no room for
named_targets         processors by the names that people use
llvm_triples          processors by LLVM's triples
target_facts          what is known of a processor
target_probe          what LLVM knows of it, by what it makes of a few lines
frozen_program        a network as calls on images, outputs, constants and an arena
known_zeros           what is zero in them whenever it is read
llvm_module           the calls as one LLVM module
object_export         an object file, for a linker
undefined_symbols     what it wants from elsewhere
stack_frames          how much stack it takes
counted_instructions  how many instructions, where that matters
c_files               what is around it: a header, an example, test vectors
running               exported code is run here, and compared with the network
"""
