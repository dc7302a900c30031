"""Names of layers as names of PyTorch's modules, which become Python code."""

import keyword

from hypothesis import given
from hypothesis import strategies as st

from striate.exporting.torch_names import module_names

RESERVED = {"train", "forward", "weight", "training"}


def test_names_that_fit_stay() -> None:
    names = ["conv2d_1", "layer1.0.conv1", "layer1.0.bn1", "layer1.1.conv1", "0"]
    assert module_names(names, RESERVED) == names


def test_names_that_do_not_fit_are_changed() -> None:
    names = ["train", "a b", 'x"); evil(', "class", "é", "..", "__init__"]
    assert module_names(names, RESERVED) == [
        "train_", "a_b", "x____evil_", "class_", "_", "_____", "init___",
    ]  # fmt: skip


def test_no_layer_lies_inside_another() -> None:
    assert module_names(["a", "a.b", "c.d", "c"], set()) == ["a", "a_b", "c.d", "c_"]
    assert module_names(["a b", "a_b", "a-b"], set()) == ["a_b", "a_b_", "a_b__"]


PARTS = st.text("ab._-", min_size=1, max_size=6)


@given(st.lists(PARTS, max_size=12, unique=True))
def test_every_layer_has_a_place(names: list[str]) -> None:
    paths = module_names(names, {"a", "ab"})
    assert len(set(paths)) == len(names)
    for path in paths:
        parts = path.split(".")
        assert not any(keyword.iskeyword(part) or part in {"a", "ab", ""} for part in parts)
        for count in range(1, len(parts)):
            assert ".".join(parts[:count]) not in paths
