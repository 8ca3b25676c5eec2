"""Single cells: what a hyperparameter's value is compared by, and what counts as a number or as missing."""

import json
import math
import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from icc_cli.errors import FormatError

Value = Any
Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]

MISSING_WORDS = frozenset({"", "nan", "na", "n/a", "#n/a", "n.a.", "<na>", "null", "none", "-"})
DIGITS_OF_32_BITS = 9
"""With fewer, a number is its own."""
WHOLE = re.compile(r"[+-]?\d{1,400}")
THOUSANDS = re.compile(r"[+-]?\d{1,3}(?:(?:,\d{3})+\.\d+|(?:,\d{3}){2,})")


def canonical(value: Value) -> Value:
    """What a hyperparameter's value is compared by: "0.10", 0.1 and "1e-1" are one, "True" and true are one.

    Whole numbers stay whole, however large; other numbers become floats; empty cells, NaN and "none" in any case
    become None, structures their JSON; other text is stripped.
    """
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _canonical_text(value.strip())
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return None if math.isnan(value) else value
    return None if value is None else json.dumps(value, sort_keys=True, default=str)


def _canonical_text(text: str) -> Value:
    lower = text.lower()
    if lower in MISSING_WORDS:
        return None
    if lower in ("true", "false"):
        return lower
    if WHOLE.fullmatch(text):
        return int(text)
    try:
        number = float(text) if "_" not in text else math.nan
    except ValueError:
        return text
    return text if math.isnan(number) else number


def number(value: Value, where: str) -> float:
    """`value` as a float, NaN when it is missing; FormatError, naming `where`, when it is no number.

    "85.2 %" is .852, and "1,014.5" a thousand and more; "1,014" may be either, and is no number.
    """
    if value is None or (isinstance(value, str) and value.strip().lower() in MISSING_WORDS):
        return math.nan
    try:
        if isinstance(value, str):
            return _number_of(value.strip())
        if isinstance(value, int | float | np.number):
            return float(value)
    except (ValueError, OverflowError):
        pass
    raise FormatError(f"{where} is {value!r}, expected a number.", "Correct it, or leave the cell empty.")


def _number_of(text: str) -> float:
    if "_" in text:
        raise ValueError(text)
    if text.endswith("%"):
        return _number_of(text[:-1].rstrip()) / 100
    return float(text.replace(",", "") if THOUSANDS.fullmatch(text) else text)


def codes(values: Sequence[Value]) -> Indices:
    """(M,) integers, equal where the values compare equal, numbered in order of appearance.

    A number and its copy in other digits (0.1 and 0.10000000149011612) compare equal.
    """
    seen: dict[Value, int] = {}
    written: dict[Value, int] = {}
    numbered = np.empty(len(values), dtype=np.intp)
    for i, value in enumerate(values):
        # 1, 1.0 and True are one key of a dictionary, and so are two structures never.
        key = (type(value), value if isinstance(value, str | int | float) else i)
        code = written.get(key)
        if code is None:
            code = written[key] = seen.setdefault(canonical(value), len(seen))
        numbered[i] = code
    copies = copies_of(seen)
    if copies:
        code_of = np.arange(len(seen))
        for copy, original in copies.items():
            code_of[[seen[copy], seen[original]]] = min(seen[copy], seen[original])
        order = dict.fromkeys(code_of.tolist())
        place = {code: i for i, code in enumerate(order)}
        numbered = np.array([place[code] for code in code_of.tolist()], dtype=np.intp)[numbered]
    return numbered


def copies_of(levels: Iterable[Value]) -> dict[float, float]:
    """Of distinct canonical values, those that are a shorter one in other digits, with that other one.

    They are it in 32 bits, written with nine digits or more (0.10000000149), or it within the last digit of 64 bits
    (0.30000000000000004).
    """
    levels = list(levels)
    numbers = [value for value in levels if isinstance(value, float) and math.isfinite(value)]
    with np.errstate(over="ignore", under="ignore"):
        low = {value: float(np.float32(value)) for value in numbers}
    shortest = {low[value]: value for value in sorted(numbers, key=lambda value: -len(repr(value)))}
    known = {value for value in levels if isinstance(value, int | float)}
    copies = {}
    for value in numbers:
        near, digits = float(f"{value:.15g}"), _digits(value)
        if near != value and near in known:
            copies[value] = near
        elif digits >= DIGITS_OF_32_BITS and float(f"{low[value]:.{digits}g}") == value != shortest[low[value]]:
            copies[value] = shortest[low[value]]
    return copies


def _digits(value: float) -> int:
    """How many digits a number is written with, zeros before them apart."""
    return len(repr(value).partition("e")[0].replace(".", "").lstrip("-0"))


def joint_codes(parts: Sequence[Indices], models: int) -> Indices:
    """(M,) integers, equal for the models that agree on every part."""
    joint = np.zeros(models, dtype=np.intp)
    for part in parts:
        joint = renumbered(joint * (part.max(initial=0) + 1) + part)
    return joint


def renumbered(code: Indices) -> Indices:
    """(M,) integers from 0 without gaps in the order of `code`, equal where it is equal.

    numpy.unique does the same, and imports numpy.ma, which a command that starts at once cannot afford.
    """
    order = np.argsort(code, kind="stable")
    ascending = code[order]
    number = np.empty(len(code), dtype=np.intp)
    number[order] = np.cumsum(np.concatenate([[False], ascending[1:] != ascending[:-1]])[: len(code)])
    return number
