"""Convolution and correlation of arrays: signals, images and volumes, with known kernels.

Data flows one way: `arrays` (the public functions) → `call` and `geometry` (what is read where) →
`sweep` with `methods` (which algorithm) → the engines: `textbook`, `fourier`, and `arranged` →
`compiled`. Network layers learn their kernels and live elsewhere; both run on the same loop
compiler, `striate.nest`.
"""
