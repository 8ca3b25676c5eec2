"""What `icc rank`, the figures and the report read, and what they say of it."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from icc_cli.cli._report import Reporter
from icc_cli.cli._streams import lines
from icc_cli.errors import UsageError

if TYPE_CHECKING:
    from icc_cli.ranking.rank import Studies
    from icc_cli.ranking.sources.inputs import Loaded
    from icc_cli.ranking.sources.selection import Selection
    from icc_cli.ranking.sources.sets import Located, ModelSet
    from icc_cli.ranking.study import Settings

STANDARD_INPUT = "-"


@dataclass(frozen=True)
class SideTables:
    """Tables by checkpoint that go with the records: `runs` with settings and results, `join` with measures.

    `key` is the column that names the checkpoint, `metrics` are the results; None leaves the choice to the tool.
    """

    runs: Path | None = None
    join: Path | None = None
    key: str | None = None
    metrics: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Asked:
    """What is to be ranked, and how its models are chosen."""

    selection: "Selection"
    settings: "Settings"
    side: SideTables = field(default_factory=SideTables)
    pool: bool = False
    every: bool = False
    """Models without a target too, each by itself."""


def studies(inputs: Sequence[str], asked: Asked, report: Reporter) -> "tuple[Studies, int]":
    """The studies of the sets of models that `inputs` hold, and how many inputs could not be read."""
    from icc_cli.ranking.sources.inputs import load

    return studies_of(load(inputs, asked.selection, asked.pool, _standard_input(inputs)), asked, report)


def studies_of(loaded: "Loaded", asked: Asked, report: Reporter) -> "tuple[Studies, int]":
    """The studies of what is loaded already."""
    from icc_cli.ranking.rank import studies as made

    for line in loaded.told:
        report.warn(line)
    for failure in loaded.failures:
        report.error(failure)
    sets = [_with_side_tables(one, asked, report) for one in loaded.sets]
    found = made(sets, asked.selection, asked.settings, asked.every)
    for line in found.told:
        report.warn(line)
    return found, len(loaded.failures)


def located(inputs: Sequence[str], report: Reporter) -> "tuple[list[Located], int]":
    """The records that `inputs` hold, each with where it lies, and how many inputs could not be read."""
    from icc_cli.ranking.sources.inputs import located as read

    found, failures = read(inputs, _standard_input(inputs))
    for failure in failures:
        report.error(failure)
    return found, len(failures)


def names_of(text: str | None) -> tuple[str, ...] | None:
    """The names in an option's `A,B`, in quotes where one has a comma; None when it was not given."""
    if text is None:
        return None
    (cells,) = csv.reader([text], skipinitialspace=True) if text else ([],)
    names = tuple(name.strip() for name in cells if name.strip())
    if not names:
        raise UsageError(f"expected names separated by commas, got {text!r}.")
    return names


def directions_of(texts: list[str]) -> dict[str, int]:
    """The signs by name in the repeated `NAME=-1`."""
    chosen: dict[str, int] = {}
    for text in texts:
        name, _, sign = text.rpartition("=")
        if not name or sign not in ("1", "+1", "-1"):
            raise UsageError(f"--direction {text!r} is not NAME=1 or NAME=-1.")
        if chosen.setdefault(name, int(sign)) != int(sign):
            raise UsageError(f"--direction gives {name} both signs.", "Leave one of them out.")
    return chosen


def _with_side_tables(models: "ModelSet", asked: Asked, report: Reporter) -> "ModelSet":
    """The set with what --runs and --join add to its table."""
    from icc_cli.ranking.sources.runs import read_side_table, with_measures, with_runs

    table, side = models.table, asked.side
    if side.metrics and side.runs is None:
        raise UsageError("--metrics names columns of --runs, which is not given.")
    if side.key and side.runs is None and side.join is None:
        raise UsageError("--key names a column of --runs or --join, and neither is given.")
    told: list[str] = []
    if side.runs is not None:
        table, told = with_runs(table, read_side_table(side.runs, side.key), asked.selection, side.metrics)
    if side.join is not None:
        table, more = with_measures(table, read_side_table(side.join, side.key))
        told += more
    for line in told:
        report.warn(line)
    return replace(models, table=table)


def _standard_input(inputs: Sequence[str]) -> list[str]:
    return list(lines()) if STANDARD_INPUT in inputs else []
