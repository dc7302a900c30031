"""Networks that go on learning where they run.

learning          which layers, by which loss and rule; what cannot be carried
training_program  forward, loss, backward and update as calls, on a state that lasts
training_module   the functions around them: begin, train, run
step_input        what a step begins with, as code
step_numbers      the optimiser's numbers, which change from step to step
memory_code       loops and copies
training_export   an object file
training_wasm     WebAssembly
training_samples  steps of training by which they are tried
"""
