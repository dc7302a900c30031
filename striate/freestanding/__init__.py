"""Networks as code that runs by itself, on any processor that LLVM knows: no Python, no C library.

code_export      all of it: Network.export, and what it refuses
exported         files, and what they take on the other machine
named_targets    processors by the names that people use
frozen_program   a network as calls on images, outputs, constants and an arena
llvm_module      the calls as one LLVM module
object_export    an object file, for a linker
wasm_export      WebAssembly, for browsers
wasm_module      modules of it, without a linker
wasm_object      LLVM's object files, of which these are made
wasm_offsets     constants in addresses as offsets of loads
wasm_encoding    numbers and sections, read and written
c_files          what is around code in C: a header, an example, test vectors
sample_runs      the test vectors themselves
"""
