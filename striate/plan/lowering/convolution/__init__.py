"""Convolution and its gradients: the algorithms, and the choice among them.

`algorithm` is what each must tell: its cost, its halos, three passes.  `choice` takes the cheapest
for each pass of `direct` (the textbook loops), `bfloat16` (the same over pairs of numbers),
`winograd` (minimal filtering over tiles) and `winograd_rows` (along rows, where images fill the
lanes).  `transposed` is the layer whose passes are a convolution's with the roles exchanged.
"""
