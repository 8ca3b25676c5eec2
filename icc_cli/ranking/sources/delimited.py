"""A table of models from delimited text: separated by commas, tabs, semicolons or bars."""

import csv
import re
from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import NamedTuple

import numpy as np

from icc_cli.errors import FormatError
from icc_cli.ranking.sources.selection import Selection
from icc_cli.ranking.table import CHECKPOINT, ModelTable, is_seed
from icc_cli.ranking.values import Floats, Value, number

DELIMITERS = ",\t;|"
LINES_AT_ONCE = 256
DECIMAL = re.compile(r"\s*[+-]?\d*([,.])\d+(?:[eE][+-]?\d+)?\s*%?\s*")
SEPARATOR = re.compile(r'"?sep=(.)"?\s*')

Row = tuple[int, list[str]]


class Header(NamedTuple):
    """A table's column names, its delimiter, and the number of the line that they stand on."""

    names: list[str]
    delimiter: str
    line: int


def read_delimited(lines: Iterable[str], where: str, selection: Selection) -> ModelTable:
    """The hyperparameters and the numbers that `selection` asks for, one model a line.

    Only those columns are converted, so a table may hold any others. A column `seed` is taken as the seed. Where cells
    are not separated by commas, a comma is that of a decimal fraction, which is said.
    FormatError for a table without rows, a line of another length, or a cell that should be a number and is not.
    """
    lines = iter(lines)
    header = _header(lines, where)
    numeric = [i for i, name in enumerate(header.names) if selection.is_number(name)]
    wanted = dict.fromkeys((*(selection.hparams or ()), *filter(is_seed, header.names), CHECKPOINT))
    text = {name: header.names.index(name) for name in wanted if name in header.names}
    numbers = array("d")
    decimals = _Decimals(header.delimiter, where)
    cells: dict[str, list[Value]] = {name: [] for name in text}
    count, line = 0, header.line + 1
    while block := list(islice(lines, LINES_AT_ONCE)):
        quick = _numbers(block, header, numeric)
        if quick is not None:
            numbers.frombytes(quick.tobytes())
            last = max(text.values(), default=0) + 1
            rows: Iterable[Row] = ((0, each.rstrip("\r\n").split(header.delimiter, last)) for each in block)
        else:
            # A quoted cell may go on in the next block.
            rest = chain(block, lines) if any('"' in each for each in block) else block
            rows = _rows(rest, header, line, where)
        for place, row in rows:
            count += 1
            for name, i in text.items():
                cells[name].append(row[i])
            if quick is None:
                numbers.extend(
                    [number(decimals.plain(row[i]), f"{header.names[i]!r} in {where} line {place}") for i in numeric]
                )
        line += len(block)
    if not count:
        raise FormatError(f"{where} holds a header and no row.", "A table has one row for each model.")
    values = np.frombuffer(numbers, dtype=np.float64).reshape(count, len(numeric))
    names = tuple(cells.pop(CHECKPOINT)) if CHECKPOINT in cells else tuple(f"row {i + 1}" for i in range(count))
    columns = tuple(header.names[i] for i in numeric)
    hparams = {name: tuple(column) for name, column in cells.items()}
    return ModelTable(names, hparams, columns, values, header=tuple(header.names), notes=decimals.notes())


def read_rows(lines: Iterable[str], where: str) -> Iterator[dict[str, str]]:
    """Every row of a table, as text by column, those without a name left out; FormatError as `read_delimited`."""
    lines = iter(lines)
    header = _header(lines, where)
    decimals = _Decimals(header.delimiter, where)
    for _, row in _rows(lines, header, header.line + 1, where):
        cells = zip(header.names, map(decimals.plain, row), strict=True)
        yield {name: cell for name, cell in cells if name and not name.startswith("Unnamed: ")}


class _Decimals:
    """Reads decimal commas where no comma separates cells, and remembers one of either kind."""

    def __init__(self, delimiter: str, where: str) -> None:
        self._possible, self._where = delimiter != ",", where
        self._seen: dict[str, str] = {}

    def plain(self, cell: str) -> str:
        """The cell with a decimal point."""
        found = DECIMAL.fullmatch(cell) if self._possible else None
        if found is None:
            return cell
        self._seen.setdefault(found[1], cell.strip())
        return cell.replace(",", ".")

    def notes(self) -> tuple[str, ...]:
        """A sentence on them, if there were any; FormatError for commas and points at once."""
        if len(self._seen) > 1:
            comma, point = self._seen[","], self._seen["."]
            raise FormatError(
                f"{self._where} has decimal commas and points: {comma} and {point}.", "Write all of them in one way."
            )
        return tuple(
            f"{self._where} has decimal commas, such as {self._seen[kind]}." for kind in self._seen if kind == ","
        )


def _header(lines: Iterator[str], where: str) -> Header:
    """The first line that is not blank."""
    place, first = next(((i, line) for i, line in enumerate(lines, 1) if line.strip()), (0, None))
    if first is None:
        raise FormatError(f"{where} is empty: expected a table with a header.")
    first = first.removeprefix("\ufeff")
    separator = SEPARATOR.fullmatch(first)
    if separator:
        place, first = place + 1, next(lines, "")
    delimiter = separator[1] if separator else max(DELIMITERS, key=first.count)
    try:
        names = [name.strip() for name in next(csv.reader([first], delimiter=delimiter))]
    except (csv.Error, StopIteration) as error:
        raise FormatError(f"{where} line {place} is not the header of a table: {error}.") from error
    if len(names) == 1 and " " in names[0]:
        raise FormatError(
            f"{where} has one column, {names[0]!r}.", "Separate columns by commas, tabs, semicolons or bars."
        )
    twice = {name for name in names if name and names.count(name) > 1} if len(set(names)) < len(names) else set()
    if twice:
        raise FormatError(f"{where} has two columns named {min(twice)!r}.", "Rename one of them.")
    return Header(names, delimiter, place)


def _rows(lines: Iterable[str], header: Header, start: int, where: str) -> Iterator[Row]:
    """Each row with its line number, the first line's being `start`; blank lines are passed over."""
    reader = csv.reader(lines, delimiter=header.delimiter)
    try:
        for row in reader:
            place = start + reader.line_num - 1
            if not any(cell.strip() for cell in row):
                continue
            if len(row) != len(header.names):
                raise FormatError(
                    f"{where} line {place} has {len(row)} cells, and the header has {len(header.names)}.",
                    "Correct the table.",
                )
            yield place, row
    except csv.Error as error:
        raise FormatError(f"{where} line {start + reader.line_num - 1} is not a row of a table: {error}.") from error


def _numbers(block: Sequence[str], header: Header, columns: Sequence[int]) -> Floats | None:
    """(lines, columns) numbers of lines without quotes, blanks or missing values; None where there are some."""
    between = len(header.names) - 1
    if not columns or not between or any('"' in line or line.count(header.delimiter) != between for line in block):
        return None
    try:
        return np.loadtxt(block, delimiter=header.delimiter, usecols=columns, comments=None, ndmin=2)
    except ValueError:
        return None
