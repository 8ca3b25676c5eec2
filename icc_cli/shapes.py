"""What a file's content has to look like: shapes that are declared once for each format, and checked in one place.

A shape is a function of a value and of where it lies; it raises Mismatch when the value is of another kind. What it
lets through may be used without another look: text can be printed and encoded, whole numbers become floats, plain data
become JSON. Imports the standard library and icc's errors alone.
"""

import json
import math
from collections.abc import Callable, Mapping
from typing import Any

from icc_cli.errors import FormatError, IccError

Shape = Callable[[object, str], None]
JsonObject = dict[str, Any]
"""Plain data by name, as JSON holds it."""

DEEPEST = 64
MOST_VALUES = 2**20
"""Of plain data: a list may hold another many times, and that a third."""
_LARGE = 2**1000
"""Whole numbers up to this become floats."""
SHOWN = 60
ABSENT = object()
"""In the place of a value that is not there."""


class Mismatch(ValueError):
    """A value is not of the shape that was declared; the text says where, what was found and what was expected."""

    def __init__(self, where: str, value: object, expected: str) -> None:
        where = where or "the content"
        super().__init__(
            f"{where} is missing" if value is ABSENT else f"{where} is {shown(value)}, expected {expected}"
        )


def require(shape: Shape, value: object, file: object, hint: str = "", error: type[IccError] = FormatError) -> None:
    """An error that names the file, the field and what was expected, when `value` is not of the shape."""
    try:
        shape(value, "")
    except Mismatch as mismatch:
        raise error(f"{file}: {mismatch}.", hint) from mismatch


def fits(shape: Shape, value: object) -> bool:
    """Whether `value` is of the shape; for files of others, where what is not is passed over."""
    try:
        shape(value, "")
    except Mismatch:
        return False
    return True


def parsed(text: str | bytes, file: object, hint: str = "", error: type[IccError] = FormatError) -> Any:
    """What JSON says, of any shape; an error that names the file when it is not JSON."""
    try:
        return json.loads(text)
    except RecursionError as reason:
        raise error(f"{file} is not JSON: it is nested too deep.", hint) from reason
    except ValueError as reason:
        said = "a number has too many digits" if "digits" in str(reason) else str(reason)
        raise error(f"{file} is not JSON: {said}.", hint) from reason


def shown(value: object) -> str:
    """A value as a message quotes it: short, and without calling anything of a foreign class."""
    if value is None or isinstance(value, bool | float):
        return repr(value)
    if isinstance(value, int):
        return repr(value) if abs(value) < 10**SHOWN else "a number of many digits"
    if isinstance(value, str | bytes):
        return ascii(value) if len(value) <= SHOWN else f"{value[:SHOWN]!a} and more"
    if isinstance(value, Mapping):
        return "an object"
    return "a list" if isinstance(value, list | tuple) else f"of type {type(value).__name__}"


def anything(value: object, where: str) -> None:
    """Whatever is there: it is not looked at."""


def text(value: object, where: str) -> None:
    """Text that can be printed: without half a character of UTF-16, and without NUL."""
    if not isinstance(value, str):
        raise Mismatch(where, value, "text")
    try:
        if not value.isascii():  # which is quicker to ask
            value.encode()
    except UnicodeEncodeError:
        raise Mismatch(where, value, "text of whole characters") from None
    if "\0" in value:
        raise Mismatch(where, value, "text without NUL")


def words(value: object, where: str) -> None:
    """Text that is not empty."""
    text(value, where)
    if not value:
        raise Mismatch(where, value, "text that is not empty")


def truth(value: object, where: str) -> None:
    if not isinstance(value, bool):
        raise Mismatch(where, value, "true or false")


def whole(value: object, where: str) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) >= 2**63:
        raise Mismatch(where, value, "a whole number")


def number(value: object, where: str) -> None:
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or (isinstance(value, int) and abs(value) > _LARGE)
    ):
        raise Mismatch(where, value, "a number")


def finite(value: object, where: str) -> None:
    number(value, where)
    assert isinstance(value, int | float)
    if not math.isfinite(value):
        raise Mismatch(where, value, "a finite number")


def at_least(shape: Shape, least: float, expected: str, most: float = math.inf) -> Shape:
    """A number of `shape` between two others, both included; `expected` puts it in words."""

    def check(value: object, where: str) -> None:
        shape(value, where)
        if not (isinstance(value, int | float) and least <= value <= most):
            raise Mismatch(where, value, expected)

    return check


natural = at_least(whole, 0, "a whole number of at least 0")
counted = at_least(whole, 1, "a whole number of at least 1", 2**31)
several = at_least(whole, 2, "a whole number of at least 2", 2**31)
not_negative = at_least(finite, 0, "a number of at least 0")
positive = at_least(finite, math.ulp(0), "a number over 0")


def scalar(value: object, where: str) -> None:
    """Null, true or false, a number, or text."""
    if isinstance(value, str):
        text(value, where)
    elif value is not None and not isinstance(value, bool):
        if not isinstance(value, int | float):
            raise Mismatch(where, value, "a number or text")
        number(value, where)


def plain(value: object, where: str) -> None:
    """Anything that JSON holds, to a depth of 64, and of a million values at the most."""
    _plain(value, where, 0, [MOST_VALUES])


def _plain(value: object, where: str, depth: int, left: list[int]) -> None:
    left[0] -= 1
    if depth > DEEPEST or left[0] < 0:
        raise Mismatch(where, value, f"at most {DEEPEST} levels and {MOST_VALUES:,} values")
    if isinstance(value, Mapping):
        for key, item in value.items():
            text(key, f"a key of {where}")
            _plain(item, f"{where}.{key}"[:200], depth + 1, left)
    elif isinstance(value, list | tuple):
        for item in value:
            _plain(item, where, depth + 1, left)
    elif not isinstance(value, str | int | float | None):
        raise Mismatch(where, value, "plain data")
    else:
        scalar(value, where)


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


def items(shape: Shape, least: int = 0) -> Shape:
    """A list of `shape`, of at least so many."""

    def check(value: object, where: str) -> None:
        if not isinstance(value, list | tuple) or len(value) < least:
            raise Mismatch(where, value, "a list that is not empty" if least else "a list")
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


def table(value: object, where: str) -> None:
    """An object, whatever it holds."""
    if not isinstance(value, Mapping):
        raise Mismatch(where, value, "an object")


def _inside(key: object, item: object, shape: Shape, where: str) -> None:
    """One field of an object at `where`: that its name is text, and its value of the `shape`."""
    try:
        text(key, where)
        shape(item, where)
    except Mismatch:  # only then is it worth saying where
        text(key, f"a key of {where}")
        shape(item, f"{where}.{key}" if where else str(key))
        raise


def mapping(shape: Shape) -> Shape:
    """An object whose values, whatever their names, are `shape`."""

    def check(value: object, where: str) -> None:
        if type(value) is not dict and not isinstance(value, Mapping):  # the first is quicker
            raise Mismatch(where, value, "an object")
        for key, item in value.items():
            _inside(key, item, shape, where)

    return check


_CELLS = mapping(plain)
_QUICK = {float, int, str, bool, type(None)}


def cells(value: object, where: str) -> None:
    """An object of plain data, of which there may be many."""
    if type(value) is dict and _QUICK.issuperset(map(type, value.values())):
        names = "".join([*value, *(item for item in value.values() if type(item) is str)])
        if (
            names.isascii()
            and "\0" not in names
            and all(-_LARGE < n < _LARGE for n in value.values() if type(n) is int)
        ):
            return
    _CELLS(value, where)


def either(*shapes: Shape, expected: str) -> Shape:
    """One of several shapes, which `expected` puts in words."""

    def check(value: object, where: str) -> None:
        if not any(fits(shape, value) for shape in shapes):
            raise Mismatch(where, value, expected)

    return check


def unknown(*known: str) -> Shape:
    """No field but the `known` ones: for what is left over of an object."""

    def check(value: object, where: str) -> None:
        raise Mismatch(where, value, f"no such field; there are {', '.join(known)}")

    return check


def fields(required: Mapping[str, Shape], others: Mapping[str, Shape], rest: Shape = plain) -> Shape:
    """An object with the `required` fields, some of the `others`, and any more of the shape `rest`."""
    known = {**others, **required}

    def check(value: object, where: str) -> None:
        if type(value) is not dict and not isinstance(value, Mapping):  # the first is quicker
            raise Mismatch(where, value, "an object")
        for key in required:
            if key not in value:
                raise Mismatch(f"{where}.{key}" if where else key, ABSENT, "")
        for key, item in value.items():
            _inside(key, item, known.get(key, rest), where)

    return check


DATA = fields(
    {},
    {
        "spec": words,
        "hierarchy": optional(mapping(text)),
        "per_class": optional(counted),
        "test_per_class": optional(counted),
        "image_size": optional(counted),
        "digest": text,
        "mean": optional(items(finite)),
        "std": optional(items(finite)),
    },
)
"""What checkpoints and caches say of their data."""
