"""Convolution and correlation of arrays: signals, images and volumes, with known kernels.

Data flows one way.  `convolution` has the public functions, `sweep_arguments` checks what they are
given, `geometry` says what a window reads and what a border holds.  Both become a `request`, which
`sweep` carries out by the method that the cost model in `methods` chooses.  The engines:

- `textbook`: loops to read, and sums of shifted copies in NumPy;
- `fourier`: SciPy's FFT, of everything or by overlap-save;
- `compiled_engine`: a request as a `descriptor` (planes, rows and columns), cut into `blocks`; the
  steps of an algorithm (`algorithm_steps`, whose loop nests are in `nests`, `box_nests` and
  `butterflies`) for each `region` of blocks; and the `compiled_sweep` that runs them.

`steps` writes out small convolutions, `filter_image` filters pictures.  Network layers learn their
kernels and live elsewhere; both run on the same loop compiler, `striate.nest`.
"""
