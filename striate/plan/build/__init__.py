"""Step 4 of a plan, build: stages become native calls.

`axis_split` cuts the nests of a single image among threads; `sequential_sums` lets a single thread
add what shards find as it goes; `assembly` turns stages into jobs and compiles every nest for the
target, or only emits its code.
"""
