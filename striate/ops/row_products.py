"""Products of rows with a matrix, in which no row's bits depend on how many are beside it."""

from __future__ import annotations

from striate.common.arrays import Array


def times_each_row(rows: Array, matrix: Array) -> Array:
    """(…, n, inputs) @ (…, inputs, outputs) -> (…, n, outputs), one product for each row.

    Libraries for matrices compute blocks of rows, and may add in another order at another place of
    a block: what a network says of an image would depend on the images beside it.
    """
    product: Array = rows[..., None, :] @ matrix[..., None, :, :]
    return product[..., 0, :]
