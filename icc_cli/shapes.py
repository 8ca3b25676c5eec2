"""What a file's content has to look like: shapes that are declared once for each format, and checked in one place.

A shape is a function of a value and of where it lies; it raises Mismatch when the value is of another kind. What it
lets through may be used without another look. Imports the standard library alone.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

Shape = Callable[[object, str], None]
JsonObject = dict[str, Any]
"""Plain data by name, as JSON holds it."""

DEEPEST = 64
SHOWN = 60


class Mismatch(ValueError):
    """A value is not of the shape that was declared; the text says where, what was found and what was expected."""

    def __init__(self, where: str, value: object, expected: str) -> None:
        super().__init__(f"{where} is {shown(value)}, expected {expected}")


def shown(value: object) -> str:
    """A value as a message quotes it: short, and without calling anything of a foreign class."""
    if value is None or isinstance(value, bool | float):
        return repr(value)
    if isinstance(value, int):
        return repr(value) if abs(value) < 10**SHOWN else "a number of many digits"
    if isinstance(value, str | bytes):
        return repr(value) if len(value) <= SHOWN else f"{value[:SHOWN]!r} and more"
    if isinstance(value, Mapping):
        return "an object"
    return "a list" if isinstance(value, list | tuple) else f"a {type(value).__name__}"


def text(value: object, where: str) -> None:
    if not isinstance(value, str):
        raise Mismatch(where, value, "text")


def whole(value: object, where: str) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) >= 2**63:
        raise Mismatch(where, value, "a whole number")


def number(value: object, where: str) -> None:
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or (isinstance(value, int) and abs(value) > 2**1000)
    ):
        raise Mismatch(where, value, "a number")


def finite(value: object, where: str) -> None:
    number(value, where)
    assert isinstance(value, int | float)
    if not math.isfinite(value):
        raise Mismatch(where, value, "a finite number")


def scalar(value: object, where: str) -> None:
    """Null, true or false, a number, or text."""
    if value is not None and not isinstance(value, bool | str):
        number(value, where)


def plain(value: object, where: str, depth: int = 0) -> None:
    """Anything that JSON holds, to a depth of 64."""
    if depth > DEEPEST:
        raise Mismatch(where, value, f"at most {DEEPEST} levels")
    if isinstance(value, Mapping):
        for key, item in value.items():
            text(key, f"a key of {where}")
            plain(item, f"{where}.{key}"[:200], depth + 1)
    elif isinstance(value, list | tuple):
        for item in value:
            plain(item, where, depth + 1)
    elif not isinstance(value, str | int | float | bool | None):
        raise Mismatch(where, value, "plain data")


def optional(shape: Shape) -> Shape:
    """Null, or `shape`."""

    def check(value: object, where: str) -> None:
        if value is not None:
            shape(value, where)

    return check


def one_of(*choices: object) -> Shape:
    def check(value: object, where: str) -> None:
        if not any(type(value) is type(choice) and value == choice for choice in choices):
            raise Mismatch(where, value, " or ".join(map(repr, choices)))

    return check


def items(shape: Shape) -> Shape:
    """A list of `shape`."""

    def check(value: object, where: str) -> None:
        if not isinstance(value, list | tuple):
            raise Mismatch(where, value, "a list")
        for place, item in enumerate(value):
            try:
                shape(item, where)
            except Mismatch:
                shape(item, f"{where}[{place}]")
                raise

    return check


def numbers(value: object, where: str) -> None:
    """A list of numbers, of which there may be many."""
    if not isinstance(value, list | tuple) or set(map(type, value)) != {float}:
        items(number)(value, where)


def mapping(shape: Shape) -> Shape:
    """An object whose values, whatever their names, are `shape`."""

    def check(value: object, where: str) -> None:
        if type(value) is not dict and not isinstance(value, Mapping):  # the first is quicker
            raise Mismatch(where, value, "an object")
        for key, item in value.items():
            text(key, f"a key of {where}")
            shape(item, f"{where}.{key}")

    return check


def fields(required: Mapping[str, Shape], others: Mapping[str, Shape], rest: Shape = plain) -> Shape:
    """An object with the `required` fields, some of the `others`, and any more of the shape `rest`."""
    known = {**others, **required}

    def check(value: object, where: str) -> None:
        if type(value) is not dict and not isinstance(value, Mapping):  # the first is quicker
            raise Mismatch(where, value, "an object")
        for key in required:
            if key not in value:
                raise Mismatch(f"{where}.{key}" if where else key, None, "a field that is there")
        for key, item in value.items():
            text(key, f"a key of {where}")
            known.get(key, rest)(item, f"{where}.{key}" if where else key)

    return check
