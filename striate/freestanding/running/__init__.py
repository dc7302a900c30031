"""Exported code is run here, whatever processor it is for, and compared with the network.

verification         outputs beside those of the network
verified_code        what that has found: the same bits, or how far off and why
code_runners         how code of each kind is run
native_code          in a process of its own, where this processor can run it
native_worker        that process
emulation            on a processor that unicorn imitates: outputs, instructions, stack
emulated_processor   what unicorn has to know of each architecture
float_helpers        what compilers call where a processor has no unit of floats
static_link          an object file at fixed addresses
relocations          the words that a linker changes, on ARM, AArch64 and RISC-V
"""
