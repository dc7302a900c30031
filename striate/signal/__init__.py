"""Convolution and correlation of arrays: signals, images and volumes, with known kernels.

Data flows one way: `arrays` (the public functions) → `geometry` (what is read where) → `sweep`
(which engine) → the engines. Network layers learn their kernels and live elsewhere; both run on
the same loop compiler, `striate.nest`.
"""
