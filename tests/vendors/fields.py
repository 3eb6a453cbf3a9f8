"""Checks of one field of a request, and what pydantic-made services answer to a bad one."""

from collections.abc import Callable, Mapping, Set
from typing import Any

Check = Callable[[Any], bool]
Problem = dict[str, Any]


def text(value: Any) -> bool:
    return isinstance(value, str)


def flag(value: Any) -> bool:
    return isinstance(value, bool)


def listed(value: Any) -> bool:
    return isinstance(value, list)


def structured(value: Any) -> bool:
    return isinstance(value, dict)


def whole(low: int, high: int) -> Check:
    return lambda value: type(value) is int and low <= value <= high


def number(low: float, high: float) -> Check:
    return lambda value: (
        isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high
    )


def optional(check: Check) -> Check:
    return lambda value: value is None or check(value)


def word_of(*words: str) -> Check:
    return lambda value: isinstance(value, str) and value in words


def problems(
    body: Mapping[str, Any], fields: Mapping[str, Check], required: Set[str], *, where: str = "body"
) -> list[Problem]:
    """Each bad field as an entry of `detail`; a field that is not known is one too."""
    found = [
        {"loc": [where, name], "msg": "Field required", "type": "missing"}
        for name in sorted(required - body.keys())
    ]
    for name, value in body.items():
        if name not in fields:
            found.append(
                {"loc": [where, name], "msg": "Extra inputs are not permitted", "type": "extra_forbidden"}
            )
        elif not fields[name](value):
            found.append({"loc": [where, name], "msg": "Input should be valid", "type": "value_error"})
    return found
