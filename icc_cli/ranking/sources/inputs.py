"""What is to be ranked: record files, folders of them, tables, or what stands on standard input."""

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from icc_cli import records
from icc_cli.errors import FormatError, IccError, UsageError
from icc_cli.files import is_file, is_folder
from icc_cli.ranking.sources import formats
from icc_cli.ranking.sources.columns import row_columns, table_of
from icc_cli.ranking.sources.delimited import read_delimited
from icc_cli.ranking.sources.exports import flat
from icc_cli.ranking.sources.selection import Selection
from icc_cli.ranking.sources.sets import Located, ModelSet, model_sets
from icc_cli.ranking.table import ModelTable
from icc_cli.stages import RECORD, next_step

PREFIX = re.compile(r"^(?:params|metrics)\.")
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
    inputs = [one for name in inputs for one in ([name] if name == STANDARD_INPUT else _expanded(name))]
    tables = [name for name in inputs if name != STANDARD_INPUT and formats.is_table(Path(name))]
    if tables and len(inputs) > 1 and not (len(tables) == len(inputs) and _one_row_each(tables)):
        raise UsageError(f"{tables[0]} is a table, and {len(inputs) - 1} more inputs are named.", "Rank one at a time.")
    if tables:
        return Loaded((ModelSet("", (), _table(tables, selection)),))
    if STANDARD_INPUT in inputs and is_table(text):
        if len(inputs) > 1:
            raise UsageError("standard input holds a table, and more inputs are named.", "Rank one at a time.")
        rows = formats.json_rows_of("\n".join(text), "standard input")
        if rows is not None:
            return Loaded((ModelSet("", (), _of_rows(rows, "standard input", selection)),))
        return Loaded((ModelSet("", (), read_delimited(text, "standard input", selection)),))
    found, failures = located(inputs, text)
    sets, told = model_sets(found, selection.sweep, pool)
    return Loaded(tuple(sets), tuple(failures), tuple(told))


def _expanded(name: str) -> list[str]:
    """The files of a folder of lm-eval's results; any other input itself."""
    path = Path(name)
    return ([str(one) for one in formats.evaluations(path)] if is_folder(path) else []) or [name]


def _table(paths: Sequence[str], selection: Selection) -> ModelTable:
    """The table of one file, or of several that hold a model each."""
    first = Path(paths[0])
    if formats.suffix_of(first) in formats.DELIMITED:
        with formats.opened(first) as lines:
            return read_delimited(lines, paths[0], selection)
    rows = [row for path in paths for row in formats.rows_of(Path(path))]
    return _of_rows(rows, ", ".join(paths[:3]), selection)


def _of_rows(rows: Sequence[formats.Cells], where: str, selection: Selection) -> ModelTable:
    plain = [
        {name.removeprefix("params.").removeprefix("metrics."): cell for name, cell in flat(row, where).items()}
        for row in rows
    ]
    if len(plain) == 1:
        raise FormatError(
            f"{where} holds one model, and two are needed to rank.", "Name the files of all, or one table of them."
        )
    return table_of(row_columns(plain), where, selection)


def _one_row_each(paths: Sequence[str]) -> bool:
    """Whether several tables are each the results of one model."""
    return all(
        formats.suffix_of(Path(path)) in formats.JSON and len(formats.rows_of(Path(path))) == 1 for path in paths
    )


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
    """Whether lines are a table: JSON that is no record, or a header; records begin with a brace, paths name files."""
    if not lines:
        return False
    if lines[0].lstrip()[:1] in ("{", "["):
        return formats.json_rows_of("\n".join(lines), "standard input") is not None
    first = Path(lines[0].strip())  # a header may be longer than any path
    return formats.has_header(lines[0]) and not (is_file(first) or is_folder(first))


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
        if not is_folder(path):
            yield path
            continue
        found: list[Path] = []
        for folder, inner, files in os.walk(path):
            inner[:] = [one for one in inner if not one.startswith(".")]
            found += [Path(folder, one) for one in files if one.endswith(RECORD_SUFFIXES) and not one.startswith(".")]
        if not found:
            hint = next_step(path, RECORD)
            raise UsageError(f"the folder {path} holds no {' or '.join(RECORD_SUFFIXES)} file.", hint)
        yield from sorted(found)


def _from_file(path: Path) -> Iterator[Located]:
    try:
        for record in records.read(path):
            yield str(path), record
    except FormatError as error:
        if formats.suffix_of(path) in formats.JSON:
            raise
        raise FormatError(
            f"{path} is neither records nor a table that icc reads.",
            next_step(path, RECORD) or "Tables are .csv, .tsv, .txt, .json, .jsonl or .parquet, .gz too.",
        ) from error


def _parsed(lines: Sequence[str]) -> Iterator[Located]:
    for i, line in enumerate(lines, 1):
        where = f"standard input line {i}"
        yield where, records.parse(line, where)
