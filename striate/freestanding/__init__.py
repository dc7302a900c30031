"""Networks as code that runs by itself, on any processor that LLVM knows, or a C compiler: no
Python, no C library.

code_export      all of it: Network.export, and what it refuses
exported         files, and what they take on the other machine
named_targets    processors by the names that people use
frozen_program   a network as calls on images, outputs, constants and an arena
llvm_module      the calls as one LLVM module
rounded_weights  weights as bfloat16 and int8, in arrays
small_weights    a plan's steps that read weights in so few bits
weight_origins   which parameter each number of a plan's constants is
weight_reads     which weights steps multiply by, and add up together
object_export    an object file, for a linker
wasm_export      WebAssembly, for browsers
wasm_module      modules of it, without a linker
wasm_object      LLVM's object files, of which these are made
wasm_offsets     constants in addresses as offsets of loads
wasm_encoding    numbers and sections, read and written
c_files          what is around code in C: a header, an example, test vectors
sample_runs      the test vectors themselves
code_export        all of it: Network.export, and what it refuses
exported           files, and what they take on the other machine
named_targets      processors by the names that people use
segmented_program  stages of a plan as calls on stretches of memory
frozen_program     a network as such calls, on images, outputs, constants and an arena
llvm_module        the calls as one LLVM module
object_export      an object file, for a linker
wasm_export        WebAssembly, for browsers
wasm_module        modules of it, without a linker
c_files            what is around code in C: a header, an example, test vectors
sample_runs        the test vectors themselves

Of networks that go on learning where they run:

learning           which layers, by which loss and rule; what cannot be carried
training_program   forward, loss, backward and update as calls, on a state that lasts
training_module    the functions around them: begin, train, run
step_input         what a step begins with, as code; step_numbers, the optimiser's numbers;
                   memory_code, loops and copies
training_export    an object file; training_wasm, WebAssembly
training_samples   steps of training by which they are tried
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
c_files          what is around it: a header, an example, test vectors
c_export         a file of C99 in its place
c_source         the calls as that file: weights, a function for each layer
c_emitter        a nest and its schedule as a function in C, for whoever wants to see one
c_tiles, c_loops, c_expressions, c_functions, c_numbers, c_names    what it is made of
"""
