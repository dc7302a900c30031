"""Networks as code that runs by itself, on any processor that LLVM knows, or a C compiler: no
Python, no C library.

code_export      all of it: Network.export, and what it refuses
exported         files, and what they take on the other machine
named_targets    processors by the names that people use
frozen_program   a network as calls on images, outputs, constants and an arena
llvm_module      the calls as one LLVM module
object_export    an object file, for a linker
c_files          what is around it: a header, an example, test vectors
c_export         a file of C99 in its place
c_source         the calls as that file: weights, a function for each layer
c_emitter        a nest and its schedule as a function in C, for whoever wants to see one
c_tiles, c_loops, c_expressions, c_functions, c_numbers, c_names    what it is made of
"""
