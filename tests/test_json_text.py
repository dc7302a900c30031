"""JSON of any origin."""

from __future__ import annotations

import pytest

from striate.common import json_text


def test_json_is_read() -> None:
    text = '{"a": [1, -2.5, true, null, "x"], "b": {"c": 9223372036854775807}}'
    value = json_text.parse(text)
    assert value == {"a": [1, -2.5, True, None, "x"], "b": {"c": 2**63 - 1}}
    assert json_text.parse("[" * 100 + "]" * 100)
    assert json_text.parse("[" * 5 + '{"deep": 1}' + "]" * 5)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[" * 102 + "]" * 102, "in each other more than 100 times"),
        ('{"a":' * 700 + "1" + "}" * 700, "in each other more than 100 times"),
        ("[" * 10**6, "in each other more than 100 times"),
        ("NaN", "NaN is not JSON"),
        ("[-Infinity]", "-Infinity is not JSON"),
        ("1e400", "the number 1e400 is too large"),
        ("1" + "0" * 400, "the number 10000000000000000000… is too large"),
        ("9" * 10_000, "is too large"),
        (str(2**63), "is too large"),
        ("{", "Expecting"),
        ("", "Expecting value"),
    ],
)
def test_what_cannot_be_worked_with_is_refused(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why) as caught:
        json_text.parse(text)
    assert len(str(caught.value)) < 200
