"""The order of forward and backward passes: what is computed when, freed when, and added up."""

import weakref
from typing import Any

import numpy as np

from striate.layers import Add, Concat, Conv2D, Input, ReLU, Scale
from striate.model.model import Model
from striate.model.traversal import backward_pass, forward_pass

SHAPE = (2, 3, 1)


def diamond() -> Model:
    """0 is read by 1 and by 3; 2 reads 1; the input is read by 0 and by 3, and 4 reads 3 alone."""
    image = Input(SHAPE)
    zero = Conv2D(1, 1)(image)
    one = ReLU()(zero)
    two = Scale(2)(one)
    three = Concat()(two, zero, image)
    return Model(inputs=image, output=Conv2D(1, 1)(three), seed=0)


class Value(np.ndarray[Any, Any]):
    """An array that can be referred to weakly."""


def test_every_node_gets_its_inputs_and_values_are_freed_after_their_last_reader() -> None:
    network = diamond()
    alive: dict[int, weakref.ref[Value]] = {}
    seen: list[tuple[int, list[float]]] = []
    living: list[set[int]] = []

    def compute(index: int, inputs: tuple[Any, ...]) -> Any:
        seen.append((index, [float(x.flat[0]) for x in inputs]))
        living.append({i for i, ref in alive.items() if ref() is not None})
        output = np.full(3, float(index)).view(Value)
        alive[index] = weakref.ref(output)
        return output

    order = []
    for index, output in forward_pass(network, np.full(3, -1.0), compute):
        order.append((index, float(output[0])))
        del output
    assert order == [(i, float(i)) for i in range(5)]
    assert seen == [(0, [-1]), (1, [0]), (2, [1]), (3, [2, 0, -1]), (4, [3])]
    # When node 3 is computed, node 1 is gone: only node 2 read it.
    assert living == [set(), {0}, {0, 1}, {0, 2}, {3}]


def test_gradients_of_several_readers_add_up() -> None:
    image = Input(SHAPE)
    zero = ReLU()(image)
    network = Model(inputs=image, output=Add()(Scale(3)(zero), zero, image), seed=None)
    met: list[int] = []

    def input_gradients(index: int, arriving: Any) -> tuple[Any, ...]:
        met.append(index)
        return {0: (5 * arriving,), 1: (3 * arriving,), 2: (arriving,) * 3}[index]

    gradient = backward_pass(network, {2: np.ones(2)}, input_gradients)
    assert met == [2, 1, 0]
    assert gradient.tolist() == [5 * (3 + 1) + 1] * 2


def test_nodes_beside_the_way_are_left_out() -> None:
    image = Input(SHAPE)
    one, two = ReLU()(image), Scale(2)(image)
    network = Model(inputs=image, output=Add()(one, two), seed=None)
    met: list[int] = []

    def input_gradients(index: int, arriving: Any) -> tuple[Any, ...]:
        met.append(index)
        return (arriving,) * len(network.nodes[index].inputs)

    assert backward_pass(network, {1: np.ones(1)}, input_gradients).tolist() == [1]
    assert met == [1]
