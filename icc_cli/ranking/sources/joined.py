"""A table of models from records, joined on the hash of the weights."""

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from icc_cli import catalog
from icc_cli.catalog import VARIANT, About
from icc_cli.errors import FormatError
from icc_cli.ranking.table import ModelTable
from icc_cli.ranking.values import canonical, number
from icc_cli.records import MEASURE, Record
from icc_cli.shapes import JsonObject

SAME = 1e-6

Variant = tuple[tuple[str, Any], ...]
Cell = tuple[str, Variant]


class _Model:
    """What the records of one checkpoint say."""

    def __init__(self, record: Record, where: str) -> None:
        self.name, self.where = record.checkpoint, where
        self.kind = record.kind
        self.hparams: JsonObject = {}
        self.metrics: dict[str, float] = {}
        self.cells: dict[Cell, float] = {}
        self.swept: set[str] = set()


def join(items: Iterable[tuple[str, Record]], sweep: bool = False) -> tuple[ModelTable, list[str]]:
    """One row for each checkpoint, from (where, record) pairs, and what a person should be told.

    A measure that some record took with another k, layer k or convention becomes a column of its own for each:
    `c3@k=1`, `c3@k=30`; it keeps its plain name where all agree. With `sweep`, measures at every k are columns
    too, where the records hold them. FormatError when two records of one checkpoint disagree on a
    hyperparameter, or on a measure with the same settings; metrics that disagree are told, and those of the
    measure record stand.
    """
    models: dict[str, _Model] = {}
    told: dict[str, None] = {}
    about: dict[str, About] = {}
    for where, record in items:
        model = models.setdefault(record.weights_sha256, _Model(record, where))
        about |= {name: one.about for name, one in record.described.items() if not catalog.known(name)}
        _merge_hparams(model, record, where)
        _merge_metrics(model, record, where, told)
        for cell, value in _cells(record, sweep, where):
            _merge_cell(model, cell, value, where)
        model.swept.update(name for name, curve in (record.all_k or {}).items() if sweep and curve)
    rows = list(models.values())
    columns = _columns(rows, sweep)
    measured = {name for name, _ in columns}
    metrics = [name for name in dict.fromkeys(name for row in rows for name in row.metrics) if name not in measured]
    values = np.full((len(rows), len(columns) + len(metrics)), np.nan)
    for i, row in enumerate(rows):
        for cell, value in row.cells.items():
            values[i, columns[cell]] = value
        for j, name in enumerate(metrics):
            values[i, len(columns) + j] = row.metrics.get(name, math.nan)
    hparams = dict.fromkeys(name for row in rows for name in row.hparams)
    table = ModelTable(
        tuple(row.name for row in rows),
        {name: tuple(row.hparams.get(name) for row in rows) for name in hparams},
        tuple(_names(columns, sweep).values()) + tuple(metrics),
        values,
        keys=tuple(models),
        about=about,
    )
    return table, list(told)


def _cells(record: Record, sweep: bool, where: str) -> Iterable[tuple[Cell, float]]:
    for name, value in record.measures.items():
        chosen = record.settings_of(name)
        variant = tuple((key, value) for key, value in chosen.items() if isinstance(value, str | int | float))
        yield (name, variant), number(value, f"the measure {name} in {where}")
    for name, curve in (record.all_k or {}).items() if sweep else ():
        for k, value in enumerate(curve or (), 1):
            yield (name, (("k", k),)), number(value, f"{name} at k = {k} in {where}")


def _merge_cell(model: _Model, cell: Cell, value: float, where: str) -> None:
    known = model.cells.setdefault(cell, value)
    if math.isnan(known):
        model.cells[cell] = value
    elif not (math.isnan(value) or math.isclose(known, value, rel_tol=SAME)):
        settings = ", ".join(f"{key} = {item}" for key, item in cell[1])
        raise FormatError(
            f"{where} and {model.where} give {cell[0]} of the checkpoint {model.name}"
            f"{' (' + settings + ')' if settings else ''} as {value!r} and {known!r}.",
            "Leave one of them out; they were taken with different data or software.",
        )


def _merge_hparams(model: _Model, record: Record, where: str) -> None:
    for name, value in record.hparams.items():
        known = model.hparams.setdefault(name, value)
        same = type(known) is type(value) and known == value
        if not same and canonical(known) != canonical(value):
            raise FormatError(
                f"{where} and {model.where} hold the same weights with {name} = {value!r} and {model.hparams[name]!r}.",
                "One checkpoint was trained once: leave the wrong record out.",
            )


def _merge_metrics(model: _Model, record: Record, where: str, told: dict[str, None]) -> None:
    for name, raw in record.metrics.items():
        value = number(raw, f"the metric {name} in {where}")
        known = model.metrics.get(name, math.nan)
        if math.isnan(known):
            model.metrics[name] = value
        elif not (math.isnan(value) or math.isclose(known, value, rel_tol=SAME)):
            if record.kind == MEASURE and model.kind != MEASURE:
                model.metrics[name], known, value = value, value, known
            told[f"{name} of {model.name} differs between its records: {known!r} is taken, {value!r} is not."] = None
    if record.kind == MEASURE:
        model.kind = record.kind


def _columns(rows: list[_Model], sweep: bool) -> dict[Cell, int]:
    """The column of each (measure, variant): measures in order of appearance, then by setting.

    A network with fewer neurons than k is measured over all it has, so its curve goes on at its last value.
    """
    cells = dict.fromkeys(cell for row in rows for cell in row.cells)
    order = {name: i for i, name in enumerate(dict.fromkeys(name for name, _ in cells))}
    ordered = sorted(cells, key=lambda cell: (order[cell[0]], [f"{value:>12}" for _, value in cell[1]]))
    for row in rows if sweep else ():
        last: dict[str, float] = {}
        for cell in ordered:
            if cell[0] in row.swept and cell[0] in last:
                row.cells.setdefault(cell, last[cell[0]])
            last[cell[0]] = row.cells.get(cell, math.nan)
    return {cell: i for i, cell in enumerate(ordered)}


def _names(columns: Iterable[Cell], sweep: bool) -> dict[Cell, str]:
    """`c3`, or `c3@k=30` where the records hold several; only the settings that vary are named."""
    seen: dict[tuple[str, str], set[Any]] = {}
    cells = list(columns)
    for name, variant in cells:
        for key, value in variant:
            seen.setdefault((name, key), set()).add(value)
    names = {}
    for name, variant in cells:
        varying = [f"{key}={value}" for key, value in variant if len(seen[name, key]) > 1 or (sweep and key == "k")]
        names[(name, variant)] = name + VARIANT + ",".join(varying) if varying else name
    return names
