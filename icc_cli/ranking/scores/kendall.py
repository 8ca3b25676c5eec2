"""The granulated Kendall table, or what `versus`, `given` and `explain` make of it."""

from dataclasses import dataclass, replace
from typing import get_args

import numpy as np

from icc_cli.errors import UsageError
from icc_cli.ranking.diagnosis import diagnose
from icc_cli.ranking.directions import Expected
from icc_cli.ranking.explain import explain
from icc_cli.ranking.granulated import granulated, partially_granulated
from icc_cli.ranking.groups import axes_of
from icc_cli.ranking.kendall import Convention
from icc_cli.ranking.leads import leads
from icc_cli.ranking.names import listed, suggestion
from icc_cli.ranking.replicates import configurations
from icc_cli.ranking.result import Part
from icc_cli.ranking.rows import Row, granulated_rows, lead_rows
from icc_cli.ranking.study import Study, directed
from icc_cli.ranking.uncertainty import ACROSS, WITHIN, Question

QUESTIONS: dict[str, Question] = {"across": ACROSS, "within": WITHIN}


@dataclass(frozen=True)
class Options:
    """`interval` is the question that the interval of Psi answers: `across` studies, or `within` the grid."""

    convention: Convention = "paper"
    interval: str = "across"
    confidence: float = 0.95
    versus: str | None = None
    given: str | None = None
    explain: str | None = None

    def __post_init__(self) -> None:
        if self.interval not in QUESTIONS:
            raise UsageError(f"--interval {self.interval} is neither across nor within.")
        if self.convention not in get_args(Convention):
            raise UsageError(f"--convention {self.convention} is neither paper nor reference.")
        alone = "given" if self.given is not None else "explain" if self.explain is not None else ""
        for name in ("interval", "confidence") if alone else ():
            if getattr(self, name) != getattr(Options, name):
                raise UsageError(f"--{alone} has no intervals, and does not go with --{name}.", "Leave it out.")

    @property
    def question(self) -> Question:
        return QUESTIONS[self.interval]


def score(study: Study, options: Options) -> Part:
    """A row for each measure, then for each control; psi with intervals within the grid, Psi as `interval` says."""
    if sum(option is not None for option in (options.given, options.versus, options.explain)) > 1:
        raise UsageError("--given, --versus and --explain do not go together.", "Use one of them.")
    if options.explain is not None:
        return _explained(study, options.explain, options.convention)
    if options.given is not None:
        return _partial(study, options)
    if options.versus is not None:
        return _leads(study, options.versus, options)
    rows, notes = _rows(study, study.measures, options)
    controls, _ = _rows(study, study.controls, options)
    for row in controls:
        row["p_holm"] = None
    if study.axes and options.question == ACROSS and sum(axis.groups > 0 for axis in study.axes) < 2:
        notes.append("fewer than two axes have a value, so that nothing is said across studies: see --interval within.")
    notes += _beaten(study, options)
    rows += [{"measure": row.pop("measure"), "control": True, **row} for row in controls]
    return Part(study.name, tuple(rows), _title(study, options), (*study.notes, *study.merged, *notes))


def _title(study: Study, options: Options) -> str:
    return (
        f"Granulated Kendall (tau-a) with {study.target}; intervals of {100 * options.confidence:g} %: "
        f"of Psi {options.question}, of an axis {WITHIN}"
    )


def _rows(study: Study, measures: dict[str, Expected], options: Options) -> tuple[list[Row], list[str]]:
    values = directed(study.table, measures)
    same = configurations(study.table)
    result = granulated(values, study.goal, study.axes, options.convention, same, sure=True)
    rows = granulated_rows(result, measures, study.axis_names, options.question, options.confidence)
    return rows, diagnose(study.table, study.axes, list(measures), values, result)


def _beaten(study: Study, options: Options) -> list[str]:
    """Names each measure that no control is surely below: no lead over one has an interval above 0."""
    if not study.controls or not study.axes:
        return []
    values, others = study.values, directed(study.table, study.controls)
    same = configurations(study.table)
    sure = np.zeros(values.shape[1], dtype=bool)
    for column in others.T:
        spread = leads(values, column, study.goal, study.axes, options.convention, same).spread
        low = spread.answer(options.question, options.confidence)[0][0]
        with np.errstate(invalid="ignore"):
            sure |= low > 0
    unsure = [name for name, yes in zip(study.measures, sure.tolist(), strict=True) if not yes]
    shown = ", ".join(study.controls)
    return [f"no control ({shown}) is surely below: {listed(unsure)}."] if unsure else []


def _leads(study: Study, versus: str, options: Options) -> Part:
    everyone = study.measures | study.controls
    if versus not in everyone:
        raise UsageError(f"--versus: {versus!r} is not ranked.", suggestion(versus, everyone))
    measures = {name: one for name, one in study.measures.items() if name != versus}
    if not measures:
        raise UsageError(f"--versus: no measure but {versus!r} is ranked.", "Name others with --measures.")
    baseline = directed(study.table, {versus: everyone[versus]})[:, 0]
    values = directed(study.table, measures)
    found = leads(values, baseline, study.goal, study.axes, options.convention, configurations(study.table))
    rows = lead_rows(found, list(measures), versus, study.axis_names, options.question, options.confidence)
    title = (
        f"Lead of each measure over {versus} in granulated Kendall (tau-a) with {study.target}, on the models "
        f"that both have; intervals of {100 * options.confidence:g} %: of Psi {options.question}, of an axis {WITHIN}"
    )
    same = [name for name, yes in zip(measures, found.same.tolist(), strict=True) if yes]
    notes = [f"equal to {versus} in every model: {listed(same)}."] if same else []
    return Part(study.name, tuple(rows), title, (*study.notes, *study.merged, *notes))


def _partial(study: Study, options: Options) -> Part:
    name = str(options.given)
    if options.convention != "paper":
        raise UsageError("--given does not go with --convention.", "Leave it out.")
    if name == study.target:
        raise UsageError(f"--given {name} is the target itself: nothing is left to order.", "Name another.")
    if name not in study.table.columns:
        raise UsageError(f"there is no column {name!r} for --given.", suggestion(name, study.table.known_names))
    held = study.table.column(name)
    known = ~np.isnan(held)
    if known.sum() < 2:
        raise UsageError(f"fewer than two models have a value of {name!r} for --given.", "Name another.")
    part = study.take(known)
    part = replace(part, axes=axes_of(part.table))
    measures = {one: way for one, way in study.measures.items() if one != name}
    values = directed(part.table, measures)
    result = partially_granulated(values, part.goal, held[known], part.axes)
    rows = granulated_rows(result, measures, part.axis_names)
    notes = diagnose(part.table, part.axes, list(measures), values, result)
    if not known.all():
        notes.insert(0, f"{(~known).sum()} models have no {name}, and are left out.")
    title = f"Partial granulated Kendall with {study.target}, {name} held fixed"
    return Part(study.name, tuple({**row, "given": name} for row in rows), title, (*study.notes, *study.merged, *notes))


def _explained(study: Study, text: str, convention: Convention) -> Part:
    measure, _, name = text.rpartition(":")
    axis = next((axis for axis in study.axes if axis.name == name), None)
    if not measure or axis is None:
        raise UsageError(f"--explain {text!r} is not MEASURE:AXIS.", suggestion(name, study.axis_names, "The axes are"))
    everyone = study.measures | study.controls
    if measure not in everyone:
        raise UsageError(f"--explain: {measure!r} is not ranked.", suggestion(measure, everyone))
    values = directed(study.table, {measure: everyone[measure]})[:, 0]
    rows = explain(study.table, axis, values, study.goal, convention)
    if not rows:
        raise UsageError(f"no two models differ in {name} alone.", "Explain another axis.")
    defined = [row["tau"] for row in rows if row["tau"] is not None]
    mean = f"{sum(defined) / len(defined):.6f}" if defined else "not defined"
    sign = f"{everyone[measure].direction:+d}"
    title = f"tau-a of {measure} (direction {sign}) in each group of {name}; psi is {mean}"
    return Part(study.name, tuple(rows), title, (*study.notes, *study.merged))
