"""Networks as code that runs by itself, on any processor that LLVM knows: no Python, no C library.

program      a network as calls on images, outputs, constants and an arena
module       the calls as one LLVM module
"""
