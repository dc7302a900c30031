"""From a model to a program of native calls, in five steps; each is a folder.

1. `analysis`: which operations are computed, with activations and batch normalisation fused in.
2. `lowering`: each operation becomes loop nests, in stages; what is recomputed, aliased, packed.
3. `memory`: blocks of images of a task, halos, non-temporal stores, liveness, allocation.
4. `build`: stages become jobs of native calls, compiled for the target.
5. `measure`: what was decided and why, how fast each kernel is, and which schedule is faster.

What the steps share: `settings` (batch, purpose, target), `layout` (blocks of images, halos, affine
accesses), `stage` (nests bound to memory, in stages), `inputs` (how images come in).  `plan` puts
the steps together, `batch_memory` is what of its memory belongs to a batch (`input_tables`: which
images), `runner` takes batches through a plan and `group_program` the groups of one, `inference`
fixes the weights, and `update` changes them by an optimiser.
"""
