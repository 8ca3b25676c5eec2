"""A table of models: what each was trained with, and numbers about each."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from icc_cli.errors import FormatError

Value = Any
Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]

SEED = "seed"
TRAIN, TEST, GAP = "train_accuracy", "test_accuracy", "generalization_gap"
METRICS = (TRAIN, TEST, GAP, "train_loss", "test_loss")
MISSING_WORDS = frozenset({"", "nan", "na", "n/a", "null", "none", "-"})


@dataclass(frozen=True)
class ModelTable:
    """M models.

    names     M file names of checkpoints, or row numbers of a table without them
    hparams   by name, the M values of a hyperparameter; None where a model has none
    columns   names of the C columns of numbers (measures and metrics)
    values    (M, C) float64, NaN where a model has no value
    """

    names: tuple[str, ...]
    hparams: dict[str, tuple[Value, ...]]
    columns: tuple[str, ...]
    values: Floats

    def __len__(self) -> int:
        return len(self.names)

    def column(self, name: str) -> Floats:
        """The (M,) values of one column, all NaN when there is none of that name."""
        if name not in self.columns:
            return np.full(len(self), np.nan)
        return self.values[:, self.columns.index(name)]

    def take(self, rows: npt.NDArray[Any]) -> "ModelTable":
        """The models that `rows`, a mask or indices, selects."""
        index = np.arange(len(self))[rows]
        return ModelTable(
            tuple(self.names[i] for i in index),
            {name: tuple(values[i] for i in index) for name, values in self.hparams.items()},
            self.columns,
            self.values[index],
        )

    def with_column(self, name: str, values: Floats) -> "ModelTable":
        """The table with one column of (M,) numbers added, or replaced."""
        if name in self.columns:
            new = self.values.copy()
            new[:, self.columns.index(name)] = values
            return replace(self, values=new)
        return replace(self, columns=(*self.columns, name), values=np.column_stack([self.values, values]))

    def with_hparam(self, name: str, values: Sequence[Value]) -> "ModelTable":
        """The table with one hyperparameter added, or replaced."""
        return replace(self, hparams={**self.hparams, name: tuple(values)})


def with_gap(table: ModelTable) -> ModelTable:
    """The table with `generalization_gap`, train minus test accuracy, where it has both and no such column."""
    if GAP in table.columns or not {TRAIN, TEST} <= set(table.columns):
        return table
    return table.with_column(GAP, table.column(TRAIN) - table.column(TEST))


def canonical(value: Value) -> Value:
    """What a hyperparameter's value is compared by: "0.10", 0.1 and "1e-1" are one, "True" and true are one.

    Numbers become floats, empty cells and NaN None, structures their JSON; other text is stripped.
    """
    if isinstance(value, bool | np.bool_):
        return "true" if value else "false"
    if isinstance(value, str):
        text = value.strip()
        if text.lower() in MISSING_WORDS - {"none"}:
            return None
        if text.lower() in ("true", "false"):
            return text.lower()
        try:
            number = float(text) if "_" not in text else math.nan
        except ValueError:
            return text
        return text if math.isnan(number) else number
    if isinstance(value, int | float | np.number):
        return None if math.isnan(value) else float(value)
    return None if value is None else json.dumps(value, sort_keys=True, default=str)


def number(value: Value, where: str) -> float:
    """`value` as a float, NaN when it is missing; FormatError, naming `where`, when it is no number."""
    if value is None or (isinstance(value, str) and value.strip().lower() in MISSING_WORDS):
        return math.nan
    try:
        if isinstance(value, str | int | float) and not (isinstance(value, str) and "_" in value):
            return float(value)
    except (ValueError, OverflowError):
        pass
    raise FormatError(f"{where} is {value!r}, expected a number.", "Correct it, or leave the cell empty.")


def codes(values: Sequence[Value]) -> Indices:
    """(M,) integers, equal where the values compare equal, numbered in order of appearance."""
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
    return numbered


def average_seeds(table: ModelTable) -> tuple[ModelTable, int]:
    """One row for each set of models that agree on every hyperparameter but the seed, and the number averaged away.

    Every column is averaged over the models that have a value in it. The seed is dropped.
    """
    kept = {name: values for name, values in table.hparams.items() if name != SEED}
    configuration = joint_codes([codes(values) for values in kept.values()], len(table))
    count = int(configuration.max(initial=-1)) + 1
    first = np.full(count, len(table))
    np.minimum.at(first, configuration, np.arange(len(table)))
    present = ~np.isnan(table.values)
    total, weight = np.zeros((count, len(table.columns))), np.zeros((count, len(table.columns)))
    np.add.at(total, configuration, np.where(present, table.values, 0.0))
    np.add.at(weight, configuration, present)
    with np.errstate(invalid="ignore"):
        means = total / weight
    averaged = replace(table, hparams=kept).take(first)
    return replace(averaged, values=means), len(table) - count


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
