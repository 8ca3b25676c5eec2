"""A table of models from columns in memory: rows of JSON, or a data frame of any library."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from icc_cli.errors import FormatError
from icc_cli.ranking.sources.selection import Selection
from icc_cli.ranking.table import CHECKPOINT, ModelTable, is_seed
from icc_cli.ranking.values import Floats, number


def is_frame(data: object) -> bool:
    """Whether `data` has columns by name, as pandas' and polars' data frames do."""
    return hasattr(data, "columns") and hasattr(data, "__getitem__") and hasattr(data, "__len__")


def frame_columns(frame: Any) -> dict[str, Sequence[Any]]:
    """The columns of a data frame by name."""
    return {str(name): list(frame[name]) for name in frame.columns}


def row_columns(rows: Iterable[Mapping[str, Any]]) -> dict[str, Sequence[Any]]:
    """The columns of rows that are mappings; None where a row has none."""
    rows = list(rows)
    names = dict.fromkeys(str(name) for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in names}


def table_of(columns: Mapping[str, Sequence[Any]], where: str, selection: Selection) -> ModelTable:
    """The hyperparameters and the numbers that `selection` asks for, one model a row; FormatError without a row."""
    count = len(next(iter(columns.values()), ()))
    if not count:
        raise FormatError(f"{where} holds no row.", "A table has one row for each model.")
    numeric = [name for name in columns if selection.is_number(name)]
    values = [_numbers(columns[name], f"{name!r} in {where}") for name in numeric]
    wanted = dict.fromkeys((*(selection.hparams or ()), *filter(is_seed, columns)))
    names = columns.get(CHECKPOINT)
    return ModelTable(
        tuple(map(str, names)) if names is not None else tuple(f"row {i + 1}" for i in range(count)),
        {name: tuple(columns[name]) for name in wanted if name in columns},
        tuple(numeric),
        np.column_stack(values) if values else np.empty((count, 0)),
        header=tuple(columns),
    )


def _numbers(cells: Sequence[Any], where: str) -> Floats:
    if all(type(cell) is float for cell in cells):
        return np.array(cells, dtype=np.float64)
    return np.array([number(_python(cell), f"{where} row {i + 1}") for i, cell in enumerate(cells)])


def _python(cell: Any) -> Any:
    """A plain value of a library's own: numpy's numbers, and pandas' NA, which is not equal to itself."""
    value = cell.item() if hasattr(cell, "item") else cell
    if isinstance(value, bool):
        return int(value)
    return value if isinstance(value, str | int | float) or value is None else None if str(value) == "<NA>" else value
