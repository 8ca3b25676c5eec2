"""A table of models from delimited text (CSV, or separated by tabs or semicolons)."""

import csv
from array import array
from collections.abc import Iterable, Iterator

import numpy as np

from icc_cli.errors import FormatError
from icc_cli.ranking.sources.selection import Selection
from icc_cli.ranking.table import SEED, ModelTable, Value, number

CHECKPOINT = "checkpoint"


def read_delimited(lines: Iterable[str], where: str, selection: Selection) -> ModelTable:
    """The hyperparameters and the numbers that `selection` asks for, one model a line.

    Only those columns are converted, so a table may hold any others. A column `seed` is taken as the seed.
    FormatError for a table without rows, a line of another length, or a cell that should be a number and is not.
    """
    rows = _rows(lines, where)
    _, header = next(rows)
    numeric = [i for i, name in enumerate(header) if selection.is_number(name)]
    wanted = dict.fromkeys((*(selection.hparams or ()), *([SEED] if SEED in header else [])))
    text = {name: header.index(name) for name in wanted if name in header}
    names: list[str] = []
    numbers = array("d")
    hparams: dict[str, list[Value]] = {name: [] for name in text}
    for line, row in rows:
        _same_length(row, header, f"{where} line {line}")
        names.append(row[header.index(CHECKPOINT)] if CHECKPOINT in header else f"row {len(names) + 1}")
        for name, i in text.items():
            hparams[name].append(row[i])
        _append(numbers, row, numeric, header, f"{where} line {line}")
    if not names:
        raise FormatError(f"{where} holds a header and no row.", "A table has one row for each model.")
    values = np.frombuffer(numbers, dtype=np.float64).reshape(len(names), len(numeric))
    columns = tuple(header[i] for i in numeric)
    return ModelTable(tuple(names), {name: tuple(cells) for name, cells in hparams.items()}, columns, values)


def read_rows(lines: Iterable[str], where: str) -> Iterator[dict[str, str]]:
    """Every row of a table, as text by column; FormatError as `read_delimited`."""
    rows = _rows(lines, where)
    _, header = next(rows)
    for line, row in rows:
        _same_length(row, header, f"{where} line {line}")
        yield dict(zip(header, row, strict=True))


def header_of(line: str) -> list[str]:
    """The names in a table's first line."""
    return [name.strip() for name in next(csv.reader([line], delimiter=_delimiter(line)))]


def _rows(lines: Iterable[str], where: str) -> Iterator[tuple[int, list[str]]]:
    """The header, then each row, with its line number; blank lines are passed over."""
    lines = iter(lines)
    first = next((line for line in lines if line.strip()), None)
    if first is None:
        raise FormatError(f"{where} is empty: expected a table with a header.")
    header = header_of(first.removeprefix("\ufeff"))
    twice = {name for name in header if header.count(name) > 1} if len(set(header)) < len(header) else set()
    if twice:
        raise FormatError(f"{where} has two columns named {min(twice)!r}.", "Rename one of them.")
    yield 1, header
    reader = csv.reader(lines, delimiter=_delimiter(first))
    try:
        for row in reader:
            if row and (len(row) > 1 or row[0].strip()):
                yield reader.line_num + 1, row
    except csv.Error as error:
        raise FormatError(f"{where} line {reader.line_num + 1} is no row of a table: {error}.") from error


def _same_length(row: list[str], header: list[str], where: str) -> None:
    if len(row) != len(header):
        raise FormatError(f"{where} has {len(row)} cells, and the header has {len(header)}.", "Correct the table.")


def _delimiter(line: str) -> str:
    return max(",\t;", key=line.count)


def _append(numbers: "array[float]", row: list[str], columns: list[int], header: list[str], where: str) -> None:
    try:
        numbers.extend([float(row[i]) for i in columns])
    except ValueError:
        numbers.extend([number(row[i], f"{header[i]!r} in {where}") for i in columns])
