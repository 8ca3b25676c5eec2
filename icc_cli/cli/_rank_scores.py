"""From `icc rank`'s options to the library's scores, as rows with a title and notes."""

from dataclasses import dataclass, fields, replace

import numpy as np

from icc_cli.cli._rank_output import COUNTS
from icc_cli.errors import UsageError
from icc_cli.ranking.bootstrap import Bootstrap
from icc_cli.ranking.diagnosis import diagnose
from icc_cli.ranking.explain import explain
from icc_cli.ranking.granulated import Granulated, granulated, partially_granulated
from icc_cli.ranking.groups import Axis, axes_of
from icc_cli.ranking.information import conditional_information, pgdl_score, resampled
from icc_cli.ranking.kendall import Convention
from icc_cli.ranking.resampling import interval, multiplicities
from icc_cli.ranking.rows import Row, granulated_rows, versus_rows
from icc_cli.ranking.sign_error import sign_error
from icc_cli.ranking.table import SEED, Floats, ModelTable, codes

RESAMPLES = 2000

Shown = tuple[list[Row], str, list[str]]


@dataclass(frozen=True)
class Options:
    """The options that belong to the Kendall table alone."""

    convention: Convention = "paper"
    given: str | None = None
    bootstrap: int = 0
    confidence: float = 0.95
    random_seed: int = 0
    versus: str | None = None
    explain: str | None = None

    def refuse_with(self, score: str) -> None:
        """UsageError when one of them is set beside another score, but for those of the bootstrap."""
        for field in fields(self):
            if field.name in ("bootstrap", "confidence", "random_seed"):
                continue
            if getattr(self, field.name) != field.default:
                raise UsageError(
                    f"--{field.name.replace('_', '-')} does not go with --score {score}.",
                    "It belongs to the Kendall table.",
                )


@dataclass(frozen=True)
class Subject:
    """What is ranked: `values` (M, K) are the measures times their directions."""

    table: ModelTable
    target: str
    measures: tuple[str, ...]
    directions: list[int]
    values: Floats
    axes: tuple[Axis, ...]

    @property
    def goal(self) -> Floats:
        return self.table.column(self.target)

    @property
    def axis_names(self) -> list[str]:
        return [axis.name for axis in self.axes]


def kendall_rows(subject: Subject, options: Options) -> Shown:
    """The granulated Kendall table, or what --given, --versus and --explain make of it."""
    if sum(option is not None for option in (options.given, options.versus, options.explain)) > 1:
        raise UsageError("--given, --versus and --explain do not go together.", "Use one of them.")
    if options.explain is not None:
        return _explained(subject, options.explain, options.convention)
    if options.given is not None:
        return _partial(subject, options)
    baseline = _index(subject, options.versus, "--versus") if options.versus is not None else None
    resamples = options.bootstrap or (RESAMPLES if baseline is not None else 0)
    bootstrap = Bootstrap(resamples, options.confidence, options.random_seed) if resamples else None
    result = granulated(subject.values, subject.goal, subject.axes, options.convention, bootstrap, baseline)
    notes = diagnose(subject.table, subject.axes, subject.measures, subject.values, result)
    if bootstrap:
        notes.append(
            f"intervals: {bootstrap.confidence:.4g} confidence, {resamples} resamples of the groups of each axis, "
            f"random seed {bootstrap.seed}; an axis on which every group agrees has an interval of no width."
        )
    if baseline is not None:
        title = f"Lead of each measure over {options.versus} in granulated Kendall with {subject.target}"
        return versus_rows(result, subject.measures, subject.axis_names, baseline), title, notes
    return _rows(subject, result), f"Granulated Kendall with {subject.target}; {COUNTS}", notes


def score_rows(subject: Subject, score: str, test_samples: int, options: Options) -> Shown:
    """A row for each measure with its conditional mutual information, PGDL score, or robust sign error."""
    bootstrap = Bootstrap(options.bootstrap, options.confidence, options.random_seed) if options.bootstrap else None
    hparams = {name: codes(cells) for name, cells in subject.table.hparams.items() if name != SEED}
    hparams = {name: code for name, code in hparams.items() if code.max(initial=0) > 0}
    rows, notes = [], []
    for k, (measure, direction) in enumerate(zip(subject.measures, subject.directions, strict=True)):
        column = subject.values[:, k]
        known = column == column
        levels = {name: code[known] for name, code in hparams.items()}
        row: Row = {"measure": measure, "direction": direction, "models": int(known.sum()), "score": score}
        drawn = multiplicities(row["models"], bootstrap) if bootstrap and row["models"] else None
        if score == "sign-error":
            models = subject.table.take(known)
            pooled = replace(models, hparams={n: c for n, c in models.hparams.items() if n != SEED})
            axes = axes_of(pooled)
            error = sign_error(column[known], subject.goal[known], axes, levels, test_samples, drawn=drawn)
            row |= {"environments": error.environments, "dropped": error.dropped}
            row["mean"] = error.mean
            if bootstrap:
                values = np.zeros(0) if error.resampled is None else error.resampled
                row["mean_interval"] = interval(error.mean, values, row["models"], bootstrap.confidence)
            row |= {"p90": error.p90, "max": error.max}
            row["axes"] = {n: {"mean": mean, "environments": count} for n, (mean, count) in error.axes.items()}
            if not error.environments:
                notes.append(
                    f"{measure}: each of the {error.dropped} environments has an effective sample size under 12; "
                    "the sign error needs four or more seeds of each configuration."
                )
        else:
            compute = conditional_information if score == "cmi" else pgdl_score
            found = compute(column[known], subject.goal[known], levels)
            row["value"] = found.score
            if bootstrap:
                values = np.zeros(0)
                if drawn is not None and found.score is not None:
                    values = resampled(column[known], subject.goal[known], levels, found.given, score, drawn)
                row["value_interval"] = interval(found.score, values, row["models"], bootstrap.confidence)
            row["given"] = list(found.given)
        rows.append(row)
    if bootstrap:
        notes.append(
            f"intervals: {bootstrap.confidence:.4g} confidence, the standard error over {bootstrap.resamples} "
            f"resamples of the models, random seed {bootstrap.seed}."
        )
    titles = {
        "cmi": "Conditional mutual information (Jiang et al. 2020)",
        "pgdl": "Score of the PGDL competition",
        "sign-error": "Robust sign error (Dziugaite et al. 2020)",
    }
    return rows, f"{titles[score]} with {subject.target}", notes


def _rows(subject: Subject, result: Granulated) -> list[Row]:
    return granulated_rows(result, subject.measures, subject.directions, subject.axis_names)


def _partial(subject: Subject, options: Options) -> Shown:
    name = str(options.given)
    if options.bootstrap or options.convention != "paper":
        raise UsageError("--given goes with neither --bootstrap nor --convention.", "Leave them out.")
    if name not in subject.table.columns:
        raise UsageError(f"there is no column {name!r} for --given.", "Name a measure or a metric.")
    held = subject.table.column(name)
    known = held == held
    if known.sum() < 2:
        raise UsageError(f"fewer than two models have a value of {name!r} for --given.", "Name another.")
    table = subject.table.take(known)
    subject = replace(subject, table=table, values=subject.values[known], axes=axes_of(table))
    result = partially_granulated(subject.values, subject.goal, held[known], subject.axes)
    notes = diagnose(subject.table, subject.axes, subject.measures, subject.values, result)
    if not known.all():
        notes.insert(0, f"{(~known).sum()} models have no {name}, and are left out.")
    rows = [{**row, "given": name} for row in _rows(subject, result)]
    return rows, f"Partial granulated Kendall with {subject.target}, {name} held fixed; {COUNTS}", notes


def _explained(subject: Subject, text: str, convention: Convention) -> Shown:
    measure, _, name = text.rpartition(":")
    axis = next((axis for axis in subject.axes if axis.name == name), None)
    if not measure or axis is None:
        names = ", ".join(subject.axis_names) or "none"
        raise UsageError(f"--explain {text!r} is not MEASURE:AXIS.", f"The axes are {names}.")
    k = _index(subject, measure, "--explain")
    rows = explain(subject.table, axis, subject.values[:, k], subject.goal, convention)
    if not rows:
        raise UsageError(f"no two models differ in {name} alone.", "Explain another axis.")
    defined = [row["tau"] for row in rows if row["tau"] is not None]
    mean = f"{sum(defined) / len(defined):.6f}" if defined else "not defined"
    title = f"tau of {measure} (direction {subject.directions[k]:+d}) in each group of {name}; psi is {mean}"
    return rows, title, []


def _index(subject: Subject, measure: str, option: str) -> int:
    if measure not in subject.measures:
        raise UsageError(f"{option}: {measure!r} is not ranked.", f"Ranked are {', '.join(subject.measures[:8])}.")
    return subject.measures.index(measure)
