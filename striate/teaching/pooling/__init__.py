"""Pooling written out window by window: the winner, the mean or the sum, and the gradient's way.

Reading order, each module using only those before it:

    pooled_windows    each window with its pixels, its output and its local gradients
    pooling_text      that as text
    pooling_drawing   planes in which a window has a colour, as article 003 draws pooling
    pooled            checks arguments, pools with an engine's kernels, compares both
"""
