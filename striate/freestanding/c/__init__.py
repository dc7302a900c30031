"""Networks as C, and what is around code that C calls.

c_export   a file of C99, for processors that LLVM lacks and to be read
c_source   the calls of a program as that file: weights, a function for each layer
c_emitter  a nest and its schedule as a function, for whoever wants to see one
c_tiles, c_loops, c_expressions, c_functions, c_numbers, c_names    what it is made of
c_files    a header, test vectors, an example, a README
"""
