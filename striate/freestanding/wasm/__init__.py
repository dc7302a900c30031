"""Networks as WebAssembly.

wasm_export    the files: modules with vectors and without, weights, JavaScript
wasm_module    a module, without a linker
wasm_object    LLVM's object files, of which these are made
wasm_offsets   constants in addresses as offsets of loads
wasm_encoding  numbers and sections, read and written
"""
