"""Tables about checkpoints from elsewhere: hyperparameters and metrics of runs, other people's measures."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from icc_cli.errors import FormatError, UsageError
from icc_cli.ranking.names import suggestion
from icc_cli.ranking.sources.exports import Cells, flat, last_of_trials, told_apart, tool_of, unfinished
from icc_cli.ranking.sources.formats import rows_of
from icc_cli.ranking.sources.matching import matched, unmatched
from icc_cli.ranking.sources.selection import Selection
from icc_cli.ranking.table import ModelTable, is_seed
from icc_cli.ranking.values import Floats, canonical, number

SEVERAL = 4


@dataclass(frozen=True)
class SideTable:
    """Rows about checkpoints, where they come from, the column that names the checkpoint (None: the usual), and what a
    person should be told of how they were read."""

    rows: tuple[Cells, ...]
    where: str
    key: str | None = None
    notes: tuple[str, ...] = ()


def read_side_table(path: Path, key: str | None = None) -> SideTable:
    """A table of runs or of measures: any format that `icc rank` reads, or a folder of Lightning's logs."""
    rows = [flat(row, str(path)) for row in rows_of(path)]
    last = last_of_trials(rows)
    told = [f"{path} has {len(rows)} reports of {len(last)} trials: the last of each is taken."]
    return SideTable(tuple(last), str(path), key, tuple(told if len(last) < len(rows) else ()))


def with_runs(
    table: ModelTable, side: SideTable, selection: Selection, metrics: Sequence[str] | None = None
) -> tuple[ModelTable, list[str]]:
    """The table with the runs' results and settings over its own, and what a person should be told.

    A setting of which most runs have a value of their own is none, unless `selection` names it. A checkpoint without a
    run keeps what its record says.
    """
    found = matched(table.names, side.rows, side.where, side.key)
    runs = [run for run in found if run is not None]
    hparams = selection.hparams
    columns = told_apart(runs, tool_of(side.rows), selection.target, hparams, metrics)
    named = [*columns.results.values(), *columns.results]
    for name in metrics or ():
        if name not in named:
            raise UsageError(f"--metrics: {side.where} has no column {name!r}.", suggestion(name, _names(side.rows)))
    told = [*side.notes, *([columns.shown(side.where)] if columns.tool else []), *unfinished(runs, side.where)]
    table = replace(table, header=(*table.header, *_names(side.rows)))
    for name, plain in columns.results.items():
        table = table.with_column(plain, _over(table.column(plain), found, name, side.where))
    for name, plain in columns.settings.items():
        if hparams is not None and plain not in hparams and name not in hparams and not is_seed(plain):
            continue
        new = hparams is None and not is_seed(plain) and plain not in table.hparams
        if new and _differs([run[name] for run in runs if name in run]):
            told.append(f"{plain!r} in {side.where} differs from run to run: not taken as a hyperparameter.")
            continue
        own = table.hparams.get(plain, (None,) * len(table))
        chosen = name if hparams is not None and name in hparams else plain
        table = table.with_hparam(
            chosen, [run.get(name, old) if run else old for run, old in zip(found, own, strict=True)]
        )
    return table, [*told, *unmatched(table.names, found, side.where)]


def with_measures(table: ModelTable, side: SideTable) -> tuple[ModelTable, list[str]]:
    """The table with every column of numbers of another one, joined by checkpoint, and what did not match.

    Columns of text are passed over. FormatError for a column that the table already has.
    """
    found = matched(table.names, side.rows, side.where, side.key)
    for name in dict.fromkeys(name for cells in found if cells for name in cells):
        column = name.removeprefix("metrics.")
        try:
            values = _over(np.full(len(table), np.nan), found, name, side.where)
        except FormatError:
            continue
        if column in table.columns and not np.isnan(table.column(column)).all():
            raise FormatError(
                f"{side.where} has a column {column!r}, and so has the table that it joins.", "Rename it."
            )
        table = table.with_column(column, values)
    return table, [*side.notes, *unmatched(table.names, found, side.where)]


def _differs(cells: Sequence[Any]) -> bool:
    """Whether most runs, of more than a few, have a value that no other has."""
    count = Counter(map(canonical, cells))
    return len(cells) > SEVERAL and 2 * sum(times == 1 for times in count.values()) > len(cells)


def _names(rows: Sequence[Cells]) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row))


def _over(own: Floats, found: Sequence[Cells | None], column: str, where: str) -> Any:
    new = np.array([number((run or {}).get(column), f"{column!r} in {where}") for run in found])
    return np.where(np.isnan(new), own, new)
