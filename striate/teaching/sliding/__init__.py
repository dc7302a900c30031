"""Pictures of the sums that `striate.steps` writes out: a kernel is flipped, laid on, and moved.

laid_kernel       where each element of the kernel lies, also beyond the ends of the signal
signal_sum        one sum of a signal: f and y, the kernel at its place, and the products
matrix_sum        one sum of matrices: the window, both flips, the Hadamard product, and y
matrix_frames     the window at each place of a small matrix, one frame for each
signal_strip      the kernel at each place of a short signal, one below the other
slide             all places after one another: an animation, or a strip to be printed
"""
