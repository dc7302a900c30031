"""Step 3 of a plan, memory: where buffers lie, and how values reach them.

`task_size` sets how many blocks of images a task takes, `non_temporal` how large values leave a
core, `halo` when borders are written; `liveness` says from when to when each buffer is needed,
`allocation` which of them share memory, and `placement` puts it all together.
"""
