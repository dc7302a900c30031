"""Networks as code that runs by itself, on any processor that LLVM knows: no Python, no C library.

frozen_program   a network as calls on images, outputs, constants and an arena
llvm_module      the calls as one LLVM module
named_targets    processors by the names that people use
object_export    an object file, a header and an example in a folder
"""
