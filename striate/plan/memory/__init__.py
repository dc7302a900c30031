"""Step 3 of a plan, memory: where buffers lie, halos, how large values leave a core."""
