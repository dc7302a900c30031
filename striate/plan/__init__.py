"""From a network to a program for the compiled engine.

Read in this order: `layout` (images in the lanes), `graph` (what is computed, fused, only a view),
`lower` (each layer as nests, with `phases` for the way back), `builder` and `recorder` (what
lowering writes to), `plan` (memory and order), `runner` and `update` (running it).
"""
