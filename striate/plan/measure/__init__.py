"""Step 5 of a plan, measurement.

`trial` makes a plan to look at, `explain` collects what it decided (`explanation` is the result),
`profiling` times each kernel where it is in a run, `tune` looks for faster schedules (`tuning` is
the result), and `convolution_passes` runs one convolution alone.
"""
