"""Whether all ranks have the same, and which has not, in one sentence."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from striate.common.errors import StriateValueError
from striate.common.text import choices, cut, listed
from striate.ranks.exchange import Exchange

APART = "the ranks cannot train together"
SAME = "give all of them the same"
ALIKE = (
    "take machines that are alike, with the same software; of several kinds of processors "
    "portable=True (--portable) makes one"
)
"""Sentences for what cannot be done, and what there is to do."""

_SHOWN = 3
"""The most facts that a sentence tells of."""
_NAMES = 4
"""The most names that it tells of one that has many."""
_LONGEST = 60


class DisagreementError(StriateValueError):
    """Ranks that cannot train together; the message names those that differ, and in what."""


def agree(exchange: Exchange, facts: Mapping[str, Any], failure: str, cure: str) -> None:
    """Compare facts with those of the other ranks.

    Args:
        exchange: connects the ranks.
        facts: JSON-able values by what they are called; a digest counts as a value of which
            nothing but that it differs can be told.
        failure: what cannot be done otherwise, for the message.
        cure: what there is to do, for the message.

    Raises:
        DisagreementError: on all ranks, if any fact is not the same on all.
    """
    if exchange.is_alone:
        return
    told = [json.loads(one) for one in exchange.meet(json.dumps(dict(facts)).encode())]
    if found := disagreements(told):
        more = [f"and {len(found) - _SHOWN} more"] if len(found) > _SHOWN else []
        said = "; ".join([*found[:_SHOWN], *more])
        raise DisagreementError(f"{failure}: {said}: {cure}")


def disagreements(told: Sequence[Mapping[str, Any]]) -> list[str]:
    """What differs, one part of a sentence for each fact.

    Args:
        told: the facts of each rank.
    """
    names = dict.fromkeys(name for facts in told for name in facts)
    found = []
    for name in names:
        values = [facts.get(name) for facts in told]
        kinds = [json.dumps(value, sort_keys=True) for value in values]
        if len(set(kinds)) > 1:
            found.append(_told(name, values, kinds))
    return found


def _told(name: str, values: Sequence[Any], kinds: Sequence[str]) -> str:
    """Who has what of one fact."""
    (usual, times), *others = Counter(kinds).most_common()
    ranks: dict[str, list[int]] = {}
    for rank, kind in enumerate(kinds):
        ranks.setdefault(kind, []).append(rank)
    has_most = times > sum(other for _, other in others)
    if has_most and len(others) == 1:
        odd = ranks[others[0][0]]
        one, rest = values[odd[0]], values[ranks[usual][0]]
        if isinstance(one, list) and isinstance(rest, list):
            return _of_lists(name, odd, one, rest)
        if _cannot_be_told(one) and _cannot_be_told(rest):
            return f"{_ranks(odd)} other {name} than the others"
        return f"{_ranks(odd)} {name} {_shown(one)}, the others {_shown(rest)}"
    if all(_cannot_be_told(value) for value in values):
        first, second, *rest = ranks.values()
        if not rest:
            return f"{_ranks(first)} other {name} than {_named(second)}"
        return f"all ranks have different {name}"
    head, *tail = [f"{_shown(values[own[0]])}" for own in ranks.values()]
    first, *rest = ranks.values()
    parts = [f"{_ranks(first)} {name} {head}"]
    parts += [f"{_ranks(own)} {value}" for own, value in zip(rest, tail, strict=True)]
    return ", ".join(parts)


def _of_lists(name: str, odd: Sequence[int], one: Sequence[str], rest: Sequence[str]) -> str:
    """What of many names the odd ranks lack, or have besides."""
    lacking = [item for item in rest if item not in one]
    having = [item for item in one if item not in rest]
    parts = [f"not the {name} {listed(lacking, _NAMES)}"] if lacking else []
    parts += [f"{'also ' if lacking else ''}the {name} {listed(having, _NAMES)}"] if having else []
    return f"{_ranks(odd)} {' and '.join(parts)}, unlike the others"


def _ranks(numbers: Sequence[int]) -> str:
    """ "rank 2 has", "ranks 0 and 3 have"."""
    return f"{_named(numbers)} {'has' if len(numbers) == 1 else 'have'}"


def _named(numbers: Sequence[int]) -> str:
    """ "rank 2", "ranks 0 and 3"."""
    return f"rank{'s' * (len(numbers) > 1)} {choices(numbers, 'and')}"


def _shown(value: Any) -> str:
    return "none" if value is None else cut(str(value), _LONGEST)


def _cannot_be_told(value: Any) -> bool:
    """Whether a value is a digest, or too long to be shown."""
    is_digest = isinstance(value, str) and re.fullmatch("[0-9a-f]{32}", value) is not None
    return value is None or is_digest or len(str(value)) > _LONGEST
