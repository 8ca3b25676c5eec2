"""What is to be ranked: record files, folders of them, tables, or what stands on standard input."""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from icc_cli import records
from icc_cli.errors import FormatError, IccError, UsageError
from icc_cli.ranking.sources.delimited import read_delimited
from icc_cli.ranking.sources.selection import Selection
from icc_cli.ranking.sources.sets import Located, ModelSet, model_sets

TABLE_SUFFIXES = (".csv", ".tsv", ".txt")
RECORD_SUFFIXES = (".jsonl", ".json")
STANDARD_INPUT = "-"


@dataclass(frozen=True)
class Loaded:
    """The sets of models, the errors of inputs that were passed over, and what a person should be told."""

    sets: tuple[ModelSet, ...]
    failures: tuple[IccError, ...] = ()
    told: tuple[str, ...] = ()


def load(inputs: Sequence[str], selection: Selection, pool: bool = False, text: Sequence[str] = ()) -> Loaded:
    """The sets of models that `inputs` hold, `-` standing for the lines of `text`; one set for a table.

    Inputs that cannot be read are passed over when there are several, as long as one can.
    """
    tables = [name for name in inputs if Path(name).suffix in TABLE_SUFFIXES]
    if tables and len(inputs) > 1:
        raise UsageError(f"{tables[0]} is a table, and {len(inputs) - 1} more inputs are named.", "Rank one at a time.")
    if tables:
        with _opened(Path(tables[0])) as lines:
            return Loaded((ModelSet("", (), read_delimited(lines, tables[0], selection)),))
    if STANDARD_INPUT in inputs and is_table(text):
        if len(inputs) > 1:
            raise UsageError("standard input holds a table, and more inputs are named.", "Rank one at a time.")
        return Loaded((ModelSet("", (), read_delimited(text, "standard input", selection)),))
    found, failures = located(inputs, text)
    sets, told = model_sets(found, selection.sweep, pool)
    return Loaded(tuple(sets), tuple(failures), tuple(told))


def located(inputs: Sequence[str], text: Sequence[str] = ()) -> tuple[list[Located], list[IccError]]:
    """The records that `inputs` hold, each with where it lies, and the errors of those that could not be read.

    The error itself when there is one input, and when none could be read.
    """
    found: list[Located] = []
    failures: list[IccError] = []
    total = 0
    for read in _readers(inputs, text):
        total += 1
        try:
            found += list(read)
        except IccError as error:
            failures.append(error)
    if total == 0:
        raise UsageError("there is no input.", "Name record files, folders of them or a table, or pipe into `-`.")
    if total == 1 and failures:
        raise failures[0]
    if not found:
        raise IccError(f"none of the {total} inputs could be read.", details=[str(error) for error in failures])
    return found, failures


def is_table(lines: Sequence[str]) -> bool:
    """Records begin with a brace and paths name files; anything else with a separator is a table's header."""
    return (
        bool(lines)
        and not lines[0].startswith("{")
        and any(c in lines[0] for c in ",;\t")
        and not Path(lines[0].strip()).exists()
    )


def _readers(inputs: Sequence[str], text: Sequence[str]) -> Iterator[Iterator[Located]]:
    for name in inputs:
        if name == STANDARD_INPUT and text and text[0].startswith("{"):
            yield _parsed(text)
        else:
            for path in _files(text if name == STANDARD_INPUT else [name]):
                yield _from_file(path)


def _files(names: Iterable[str]) -> Iterator[Path]:
    """Files as they are, and the record files of folders, sorted; UsageError for a folder without any."""
    for name in names:
        path = Path(name.strip())
        if not path.is_dir():
            yield path
            continue
        found: list[Path] = []
        for folder, inner, files in os.walk(path):
            inner[:] = [one for one in inner if not one.startswith(".")]
            found += [Path(folder, one) for one in files if one.endswith(RECORD_SUFFIXES) and not one.startswith(".")]
        if not found:
            raise UsageError(f"the folder {path} holds no {' or '.join(RECORD_SUFFIXES)} file.")
        yield from sorted(found)


def _from_file(path: Path) -> Iterator[Located]:
    for record in records.read(path):
        yield str(path), record


def _parsed(lines: Sequence[str]) -> Iterator[Located]:
    for i, line in enumerate(lines, 1):
        where = f"standard input line {i}"
        yield where, records.parse(line, where)


@contextmanager
def _opened(path: Path) -> Iterator[TextIO]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            yield lines
    except FileNotFoundError as error:
        raise UsageError(f"there is no file {path}.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise FormatError(f"cannot read {path} as a table: {error}.") from error
