"""The loop compiler.  It knows nothing of networks.

Read in this order: `algebra` (what a nest computes), `schedule` (how), `emit` with `evaluate`,
`functions` and `ir` (to LLVM code), `target` (the processor, and LLVM), `kernel` and `cache` (made
once, kept in memory and on disk), `tape` (many kernel calls behind one native call), `crew` (the
threads that run it).
"""
