"""Step 4 of a plan, build: stages become native calls.

`axis_split` cuts the nests of a single image among threads; `assembly` turns stages into jobs and
compiles every nest for the target, or only emits its code.
"""
