"""Networks as code that runs by itself, on any processor that LLVM knows, or a C compiler: no
Python, no C library.

code_export    all of it: Network.export, and what it refuses
code_request   what is asked of it
exported       what comes of it: files, and what they take on the other machine
program        a network as calls on stretches of memory, and these as one LLVM module
targets        processors by the names that people use, and by LLVM's
weights        weights stored in 16 and 8 bits
object         object files for a linker, and what they take
c              one file of C99 in their place; what is around either: a header, an example
wasm           WebAssembly, for browsers and Node
page           one HTML file that classifies
training_code  networks that go on learning where they run
running        exported code run here, or on an emulated processor, beside the network
"""
