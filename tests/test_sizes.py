"""The calculator of the size rule, against trying everything."""

import json

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from striate.teaching import size_calculator
from striate.teaching.size_calculator import SizeError, size


def windows(pixels: int, taps: int, step: int, before: int, after: int, gap: int) -> int | None:
    """How many windows cover the padded input exactly: they are laid down one by one."""
    last = pixels + before + after - 1
    count, start = 0, 0
    while start + gap * (taps - 1) <= last:
        count, end, start = count + 1, start + gap * (taps - 1), start + step
    return count if count and end == last else None


small = st.integers(1, 7)


@st.composite
def fitting(draw: st.DrawFn) -> dict[str, int | tuple[int, ...]]:
    """Six quantities that fit."""
    taps, step, gap, outputs = draw(small), draw(small), draw(st.integers(1, 4)), draw(small)
    total = draw(st.integers(0, 6))
    pixels = (outputs - 1) * step + gap * (taps - 1) + 1 - total
    assume(pixels >= 1)
    sides = (total // 2, total - total // 2)
    assert windows(pixels, taps, step, *sides, gap) == outputs
    return {
        "input": pixels, "filter": taps, "stride": step, "padding": sides, "dilation": gap,
        "output": outputs,
    }  # fmt: skip


def ask(quantities: dict, *unknown: str) -> size_calculator.Sizes:
    """The calculator's answer, some of the quantities left for it to find."""
    asked = {name: "any" if name in unknown else value for name, value in quantities.items()}
    if "padding" not in unknown:
        before, after = quantities["padding"]
        asked["padding"] = (before, after, before, after)
    return size(**asked)


@given(fitting(), st.sampled_from(size_calculator.QUANTITIES))
def test_one_unknown_is_found(quantities: dict, unknown: str) -> None:
    answer = ask(quantities, unknown)
    for axis in answer.axes:
        assert axis.unknown == (unknown,)
        (fit,) = axis.fits
        found = vars(fit)
        assert {k: v for k, v in found.items() if k != unknown} == {
            k: v for k, v in quantities.items() if k != unknown
        }
        # One output lies anywhere on any stride; one tap has any dilation.
        free = (unknown == "stride" and fit.output == 1) or (
            unknown == "dilation" and fit.filter == 1
        )
        assert found[unknown] == (1 if free else quantities[unknown])


@given(fitting(), st.sampled_from([("stride", "padding"), ("filter", "padding"),
                                   ("stride", "dilation"), ("filter", "stride")]))  # fmt: skip
def test_of_several_unknowns_all_solutions_are_listed(quantities: dict, unknown: tuple) -> None:
    limits = {"filter": 60, "stride": 60, "dilation": 4, "padding": 200}
    solved = next(name for name in size_calculator.SOLVED if name in unknown)
    limits |= {name: size_calculator.TRIED[name] for name in unknown if name != solved}
    expected = set()
    for one in range(0 if unknown[0] == "padding" else 1, limits[unknown[0]] + 1):
        for two in range(0 if unknown[1] == "padding" else 1, limits[unknown[1]] + 1):
            tried = dict(quantities)
            for name, value in zip(unknown, (one, two), strict=True):
                sides = (value // 2, value - value // 2)
                tried[name] = sides if name == "padding" else value
            pads = tried["padding"]
            reach = tried["dilation"] * (tried["filter"] - 1) + 1
            if "padding" in unknown and max(pads) >= reach:
                continue
            along = (tried["input"], tried["filter"], tried["stride"], *pads, tried["dilation"])
            if windows(*along) == tried["output"]:
                expected.add(tuple(tried[name] for name in unknown))
    if "stride" in unknown and quantities["output"] == 1 and solved == "stride":
        expected = {(1, gap) if unknown[0] == "stride" else (gap, 1) for _, gap in expected}
    try:
        answer = ask(quantities, *unknown)
    except SizeError:
        assert not expected
        return
    for axis in answer.axes:
        found = [tuple(vars(fit)[name] for name in unknown) for fit in axis.fits]
        assert len(found) == len(set(found))
        assert set(found) == expected


@given(st.integers(1, 20), small, small, st.integers(0, 3), st.integers(1, 3))
def test_the_nearest_that_fit_are_the_nearest(
    pixels: int, taps: int, step: int, pad: int, gap: int
) -> None:
    given_ = {"input": pixels, "filter": taps, "stride": step, "padding": pad, "dilation": gap}
    outputs = windows(pixels, taps, step, pad, pad, gap)
    if outputs is not None:
        assert size(**given_).output == (outputs,)
        return
    with pytest.raises(SizeError) as caught:
        size(**given_)
    for name, value in given_.items():
        if name == "padding":
            value *= 2

        def fits(trial: int, name: str = name) -> bool:
            tried = given_ | {name: trial}
            sides = (pad, pad) if name != "padding" else (trial // 2, trial - trial // 2)
            tried.pop("padding")
            along = (tried["input"], tried["filter"], tried["stride"], *sides, tried["dilation"])
            return windows(*along) is not None

        below = [trial for trial in range(0 if name == "padding" else 1, value) if fits(trial)]
        above = [trial for trial in range(value + 1, value + 100) if fits(trial)]
        expected = below[-1:] + above[:1]
        found = caught.value.nearest[0][name]
        assert [sum(v) if name == "padding" else v for v in found] == expected
        for shown in found:
            plain = shown[0] if name == "padding" and shown[0] == shown[1] else shown
            assert str(plain) in str(caught.value)


@pytest.mark.parametrize(
    ("asked", "outputs"),
    [
        ({"input": 13, "filter": 3, "stride": 2}, (6,)),  # article 001
        ({"input": (10, 5), "filter": 3}, (8, 3)),  # article 001
        ({"input": (10, 5), "filter": 3, "padding": 1}, (10, 5)),  # article 001, zero-padding
        ({"input": 7, "filter": 3}, (5,)),  # article 003
        ({"input": 7, "filter": 3, "stride": 2}, (3,)),  # article 003
        ({"input": 7, "filter": 3, "padding": 1, "stride": 2}, (4,)),
        ({"input": 5, "filter": 3}, (3,)),  # article 002: and once more, one
        ({"input": 3, "filter": 2}, (2,)),  # article 003
        ({"input": 10, "filter": 3, "dilation": 2}, (6,)),
        ({"input": 10, "filter": 3, "stride": 3, "padding": "same"}, (4,)),
        ({"input": (9, 8), "filter": (3, 2), "padding": (0, 1, 2, 3)}, (8, 12)),
    ],
)
def test_the_numbers_of_the_articles(asked: dict, outputs: tuple) -> None:
    assert size(**asked).output == outputs


def test_the_articles_impossible_size_is_explained() -> None:
    with pytest.raises(SizeError) as caught:
        size(10, 3, stride=2, padding=0)
    message = str(caught.value)
    assert "(I - R + P_before + P_after)/S + 1 = (10 - 3 + 0 + 0)/2 + 1 = 4.5 is not whole" in (
        message
    )
    assert "input 9 or 11; filter 2 or 4; stride 1 or 7; padding (0, 1)" in message
    assert "no other dilation would do alone" in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (
            {"input": 13, "filter": 3, "output": 5, "stride": "any"},
            "(13 - 3 + 0 + 0)/(5 - 1) = 2.5",
        ),
        ({"input": 9, "filter": 3, "output": 4, "stride": 2, "padding": "same"}, "= 5, not 4"),
        ({"input": 5, "filter": 3, "output": 4, "stride": "any", "padding": "same"}, "that 4"),
        ({"input": 4, "filter": 7}, "the window is larger than the padded input"),
        ({"input": 10, "filter": 3, "output": 7, "stride": 1}, "+ 1 = 8, not 7"),
        ({"filter": 2, "output": 1, "padding": 3}, "no input fits: (O - 1)·S + R - P_before"),
        ({"input": 20, "output": 2, "filter": 3, "padding": "any"}, "R - I = (2 - 1)·1 + 3 - 20"),
        ({"input": 9, "output": 2, "dilation": 3}, "F = (R - 1)/3 + 1 = 3.333…"),
        (
            {"input": 9, "filter": 4, "output": 2, "dilation": "any"},
            "dilation = (R - 1)/3 = 2.333…",
        ),
        ({"input": (9, 10), "filter": 3, "stride": 2}, "is not whole along the width"),
        ({"input": 9, "filter": 1, "output": 2, "dilation": "any"}, "spans one pixel"),
        ({"input": 9, "filter": 3, "output": 1, "stride": "any"}, "one output needs a window"),
    ],
)
def test_what_does_not_fit_is_explained(asked: dict, words: str) -> None:
    with pytest.raises(SizeError) as caught:
        size(**asked)
    assert words in str(caught.value)
    assert "hanged alone, what would fit" in str(caught.value)


def test_same_padding_has_several_inputs() -> None:
    (axis,) = size(filter=3, stride=2, padding="same", output=16).axes
    assert [fit.input for fit in axis.fits] == [31, 32]
    (axis,) = size(9, 1, stride=4, padding="same").axes
    assert str(axis) == "output 3:  (I - R + P_before + P_after)/S + 1 = (9 - 1 + 0 + 0)/4 + 1 = 3"
    assert "ceil(I / S) = ceil(8 / 3) = 3" in str(size(8, 1, stride=3, padding="same"))


def test_stride_and_padding_are_found_together() -> None:
    answer = size(13, 3, output=6)
    assert answer.axes[0].unknown == ("stride", "padding")
    assert str(answer).startswith("stride 2, padding 0:")
    many = size(filter="any", input=28, padding="any", output=28)
    assert [(fit.filter, fit.padding) for fit in many.axes[0].fits][:3] == [
        (1, (0, 0)), (2, (0, 1)), (3, (1, 1)),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("asked", "error", "words"),
    [
        ({"filter": 3}, ValueError, "give the input, or the output, or both"),
        ({"input": 0, "filter": 3}, ValueError, "input must be at least 1, got 0"),
        ({"input": 2.5, "filter": 3}, TypeError, "input must be a whole number"),
        ({"input": 5, "filter": (1, 2, 3)}, ValueError, "one number or"),
        ({"input": 5, "filter": 2, "padding": "full"}, ValueError, "padding must be"),
    ],
)
def test_mistakes(asked: dict, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        size(**asked)


def test_the_dictionary_is_json() -> None:
    content = json.loads(json.dumps(size((10, 5), 3).to_dict()))
    assert [axis["fits"][0]["output"] for axis in content["axes"]] == [8, 3]
    assert content["axes"][0]["unknown"] == ["output"]
