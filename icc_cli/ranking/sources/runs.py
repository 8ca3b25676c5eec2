"""Tables about checkpoints from elsewhere: hyperparameters and metrics of runs, other people's measures.

A table is CSV, a JSON list of objects, or one JSON object a line. Exports of Weights & Biases and of MLflow are
recognized by their columns.
"""

import ast
import json
import re
from collections.abc import Iterable, Sequence
from pathlib import PurePath
from typing import Any

import numpy as np

from icc_cli.errors import FormatError
from icc_cli.ranking.names import listed
from icc_cli.ranking.sources.delimited import CHECKPOINT, read_rows
from icc_cli.ranking.table import METRICS, SEED, ModelTable
from icc_cli.ranking.values import number

Cells = dict[str, Any]

# The columns that name a run's checkpoint, ours first: then Weights & Biases' and MLflow's run names.
KEYS = (CHECKPOINT, "tags.checkpoint", "config.checkpoint", "name", "Name", "tags.mlflow.runName", "run_name")
NESTED = ("hparams", "metrics", "config", "summary", "params", "_summary", "summary_metrics")
PREFIXES = ("params.", "metrics.", "config.", "summary.", "hparams.")
RESULTS = ("metrics", "summary", "_summary", "summary_metrics")
METRIC = "metrics."
SEVERAL = 4
# What the tables of Weights & Biases' web page say of a run beside its settings and results.
WANDB_PAGE = frozenset(
    [
        "State",
        "Notes",
        "User",
        "Tags",
        "Created",
        "Updated",
        "Runtime",
        "Sweep",
        "ID",
        "Commit",
        "Description",
        "GPU Type",
        "GPU Count",
        "Github",
        "Hostname",
        "Start Time",
        "End Time",
        "Job Type",
        "Group",
        "Agent",
    ]
)
CHECKPOINT_SUFFIXES = (".pt", ".pth", ".th", ".ckpt", ".bin", ".tar", ".safetensors")


def read_runs(text: str, where: str) -> dict[str, Cells]:
    """By checkpoint, the cells of its run, from CSV or JSON; FormatError when no column names the checkpoint."""
    rows = [
        _flat(row, where) for row in (_json_rows(text, where) if text.lstrip()[:1] in ("[", "{") else _csv(text, where))
    ]
    key = next((key for key in KEYS if any(row.get(key) not in (None, "") for row in rows)), None)
    if key is None:
        names = listed(dict.fromkeys(name for row in rows for name in row))
        raise FormatError(
            f"{where} has no column {CHECKPOINT!r}, the checkpoint's file name.", f"Its columns are {names}."
        )
    runs: dict[str, Cells] = {}
    for row in rows:
        name = row.pop(key)
        if name in (None, ""):
            continue
        if str(name) in runs:
            raise FormatError(f"{where} has two rows for the checkpoint {name}.", "Keep one of them.")
        runs[str(name)] = row
    return _without_bookkeeping(runs)


def _without_bookkeeping(runs: dict[str, Cells]) -> dict[str, Cells]:
    """Settings by their plain names and results as `metrics.NAME`; what an export says of the run itself is dropped."""
    columns = {column for row in runs.values() for column in row}
    marked = any(column.startswith(PREFIXES) for column in columns)
    page = {"State", "Created"} <= columns
    kept: dict[str, Cells] = {}
    for name, row in runs.items():
        cells = {}
        for column, value in row.items():
            if column.startswith(PREFIXES):
                plain = column.split(".", 1)[1]
                cells[METRIC + plain if column.split(".", 1)[0] in RESULTS else plain] = value
            elif not marked and not (page and column in WANDB_PAGE):
                cells[column] = value
        kept[name] = cells
    return kept


def with_runs(
    table: ModelTable, runs: dict[str, Cells], target: str, hparams: Sequence[str] | None, where: str
) -> tuple[ModelTable, list[str]]:
    """The table with the runs' metrics and hyperparameters over its own, and what did not match.

    The target, accuracies and losses are metrics; `hparams` says which columns are hyperparameters, otherwise
    all others are, but for results of an export that are no metrics, and columns that differ from run to run.
    A checkpoint without a run keeps what its record says.
    """
    matched = _match(table.names, runs, where)
    told = []
    for name in dict.fromkeys(name for cells in runs.values() for name in cells):
        column = name.removeprefix(METRIC)
        if column == target or column in METRICS:
            values = _over(table.column(column), matched, name, where)
            table = table.with_column(column, values)
        elif name == column and (hparams is None or column in hparams or column == SEED):
            given = [str(run[column]) for run in matched if run and column in run]
            new = hparams is None and column != SEED and column not in table.hparams
            if new and len(given) > SEVERAL and len(set(given)) == len(given):
                told.append(f"{column!r} in {where} differs from run to run: not taken as a hyperparameter.")
                continue
            own = table.hparams.get(column, (None,) * len(table))
            cells = [run.get(column, old) if run else old for run, old in zip(matched, own, strict=True)]
            table = table.with_hparam(column, cells)
    return table, [*told, *_unmatched(table.names, matched, where)]


def with_measures(table: ModelTable, rows: dict[str, Cells], where: str) -> tuple[ModelTable, list[str]]:
    """The table with every column of numbers of another one, joined by checkpoint, and what did not match.

    Columns of text are passed over. FormatError for a column that the table already has.
    """
    matched = _match(table.names, rows, where)
    for name in dict.fromkeys(name for cells in rows.values() for name in cells):
        column = name.removeprefix(METRIC)
        try:
            values = _over(np.full(len(table), np.nan), matched, name, where)
        except FormatError:
            continue
        if column in table.columns and not np.isnan(table.column(column)).all():
            raise FormatError(f"{where} has a column {column!r}, and so has the table that it joins.", "Rename it.")
        table = table.with_column(column, values)
    return table, _unmatched(table.names, matched, where)


def _over(own: Any, matched: Sequence[Cells | None], column: str, where: str) -> Any:
    new = np.array([number((run or {}).get(column), f"{column!r} in {where}") for run in matched])
    return np.where(np.isnan(new), own, new)


def _match(names: Sequence[str], runs: dict[str, Cells], where: str) -> list[Cells | None]:
    """The run of each checkpoint: by the name as written, else by the file's name, else without its suffix."""
    keys: dict[str, set[str]] = {}
    for run in runs:
        for key in _keys(run):
            keys.setdefault(key, set()).add(run)
    matched: list[Cells | None] = []
    for name in names:
        found = next((keys[key] for key in _keys(name) if key in keys), set())
        if len(found) > 1:
            raise FormatError(
                f"{where} has several rows for the checkpoint {name}: {listed(sorted(found))}.",
                "Write the path as the records have it.",
            )
        matched.append(runs[next(iter(found))] if found else None)
    if not any(run is not None for run in matched):
        raise FormatError(
            f"{where} has no row for any of the {len(names)} checkpoints: it names {listed(runs)}.",
            f"The records name {listed(names)}.",
        )
    return matched


def _keys(name: str) -> list[str]:
    base = PurePath(name).name
    stem = base.removesuffix(PurePath(base).suffix) if PurePath(base).suffix in CHECKPOINT_SUFFIXES else base
    return list(dict.fromkeys((name, base, stem)))


def _unmatched(names: Sequence[str], matched: Sequence[Cells | None], where: str) -> list[str]:
    missing = [name for name, run in zip(names, matched, strict=True) if run is None]
    return [f"{where} has no row for {len(missing)} of {len(names)} models: {listed(missing)}."] if missing else []


def _csv(text: str, where: str) -> list[Cells]:
    return list(read_rows(text.splitlines(keepends=True), where))


def _json_rows(text: str, where: str) -> Iterable[Cells]:
    try:
        rows = json.loads(text)
    except ValueError:
        try:
            rows = [json.loads(line) for line in text.splitlines() if line.strip()]
        except ValueError as error:
            raise FormatError(f"{where} is neither JSON nor lines of JSON: {error}.") from error
    rows = rows if isinstance(rows, list) else [rows]
    if not rows or not all(isinstance(row, dict) for row in rows):
        raise FormatError(f"{where} is no list of objects.", "Expected one object for each run.")
    return rows


def _flat(row: Cells, where: str) -> Cells:
    """The row with nested configurations and metrics, JSON's or a printed Python dict's, as columns of their own."""
    flat: Cells = {}
    for name, value in row.items():
        if name in NESTED and isinstance(value, str) and value.lstrip().startswith("{"):
            try:
                value = ast.literal_eval(re.sub(r"\b(nan|inf)\b", "None", value))
            except (ValueError, SyntaxError) as error:
                raise FormatError(
                    f"{where} has a {name!r} that is no dictionary: {value[:60]} ...", "Export it as JSON."
                ) from error
        if name in NESTED and isinstance(value, dict):
            kind = "metrics" if name in RESULTS else "params"
            flat |= {f"{kind}.{key}": item for key, item in value.items() if not str(key).startswith("_")}
        else:
            flat[name] = value
    return flat
