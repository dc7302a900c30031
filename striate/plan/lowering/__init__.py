"""Step 2 of a plan, lowering: each operation becomes loop nests, in stages.

`table` lists how each kind of layer is lowered: one module each (`dense`, `pooling`, `batchnorm`,
…), forward beside backward, and the folder `convolution`.  They write to a `builder` (values,
gradients, parameters, and where they lie), which writes to the `recorder` (nests into stages).

`lanes` chooses what fills the vectors.  `input_stage` and `loss` are the two ends of a training
step; `recomputation`, `gradient_aliasing`, `shard_gradients` and `weight_panels` decide what is
computed again, shared, summed and packed.
"""
