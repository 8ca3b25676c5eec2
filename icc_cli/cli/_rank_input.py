"""What `icc rank` reads: record files, folders of them, a table, or any of these on standard input."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from icc_cli import records
from icc_cli.cli._report import Reporter
from icc_cli.cli._run import RECORD_SUFFIXES, expand
from icc_cli.errors import FormatError, IccError, UsageError

if TYPE_CHECKING:
    from icc_cli.ranking.sources.selection import Selection
    from icc_cli.ranking.table import ModelTable

TABLE_SUFFIXES = (".csv", ".tsv", ".txt")
STANDARD_INPUT = "-"

Located = tuple[str, records.Record]


def load(inputs: Sequence[str], selection: "Selection", report: Reporter) -> "tuple[ModelTable, int]":
    """The table of models that `inputs` hold, and how many of them could not be read.

    Inputs that cannot be read are reported and passed over when there are several, as long as one can.
    """
    from icc_cli.ranking.sources.delimited import read_delimited
    from icc_cli.ranking.sources.joined import join

    tables = [name for name in inputs if Path(name).suffix in TABLE_SUFFIXES]
    if tables and len(inputs) > 1:
        raise UsageError(f"{tables[0]} is a table, and {len(inputs) - 1} more inputs are named.", "Rank one at a time.")
    if tables:
        with _opened(Path(tables[0])) as lines:
            return read_delimited(lines, tables[0], selection), 0
    if STANDARD_INPUT in inputs:
        text = _standard_input()
        if _is_table(text):
            if len(inputs) > 1:
                raise UsageError("standard input holds a table, and more inputs are named.", "Rank one at a time.")
            return read_delimited(text, "standard input", selection), 0
        found, failures = _located(inputs, text, report)
    else:
        found, failures = located(inputs, report)
    table, told = join(found, selection.sweep)
    for text_line in told:
        report.warn(text_line)
    return table, failures


def located(inputs: Sequence[str], report: Reporter) -> tuple[list[Located], int]:
    """The records that `inputs` hold, each with where it lies, and how many inputs could not be read."""
    return _located(inputs, _standard_input() if STANDARD_INPUT in inputs else [], report)


def _located(inputs: Sequence[str], text: list[str], report: Reporter) -> tuple[list[Located], int]:
    found: list[Located] = []
    failures: list[IccError] = []
    total = 0
    for read in _record_inputs(inputs, text):
        total += 1
        try:
            found += list(read)
        except IccError as error:
            failures.append(error)
    if total == 0:
        raise UsageError("there is no input.", "Name record files, folders of them or a table, or pipe into `-`.")
    if total == 1 and failures:
        raise failures[0]
    for failure in failures:
        report.error(failure)
    if not found:
        raise IccError(f"none of the {total} inputs could be read.")
    return found, len(failures)


def names_of(text: str | None) -> tuple[str, ...] | None:
    """The names in an option's `A,B`; None when it was not given."""
    if text is None:
        return None
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    if not names:
        raise UsageError(f"expected names separated by commas, got {text!r}.")
    return names


def directions_of(texts: list[str]) -> dict[str, int]:
    """The signs by name in the repeated `NAME=-1`."""
    chosen = {}
    for text in texts:
        name, _, sign = text.rpartition("=")
        if not name or sign not in ("1", "+1", "-1"):
            raise UsageError(f"--direction {text!r} is not NAME=1 or NAME=-1.")
        chosen[name] = int(sign)
    return chosen


def read_side_table(path: Path) -> str:
    """The text of a table named by an option."""
    with _opened(path) as lines:
        return lines.read()


def _record_inputs(inputs: Sequence[str], text: list[str]) -> Iterator[Iterator[Located]]:
    for name in inputs:
        if name == STANDARD_INPUT and text and text[0].startswith("{"):
            yield _parsed(text)
        elif name == STANDARD_INPUT:
            for item in expand(text, RECORD_SUFFIXES):
                yield _from_file(item.path)
        else:
            for item in expand([name], RECORD_SUFFIXES):
                yield _from_file(item.path)


def _from_file(path: Path) -> Iterator[Located]:
    for record in records.read(path):
        yield str(path), record


def _parsed(lines: list[str]) -> Iterator[Located]:
    for i, line in enumerate(lines, 1):
        where = f"standard input line {i}"
        yield where, records.parse(line, where)


def _standard_input() -> list[str]:
    try:
        return [line for line in sys.stdin.read().splitlines() if line.strip()]
    except UnicodeDecodeError as error:
        raise FormatError(f"standard input is no text: {error}.") from error


def _is_table(lines: list[str]) -> bool:
    """Records begin with a brace and paths name files; anything else with a separator is a table's header."""
    return (
        bool(lines)
        and not lines[0].startswith("{")
        and any(c in lines[0] for c in ",;\t")
        and not Path(lines[0].strip()).exists()
    )


@contextmanager
def _opened(path: Path) -> Iterator[TextIO]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            yield lines
    except FileNotFoundError as error:
        raise UsageError(f"there is no file {path}.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise FormatError(f"cannot read {path} as a table: {error}.") from error
