"""The models themselves, in the order of their predicted generalization, and two of them side by side."""

from collections.abc import Sequence

import numpy as np

from icc_cli.catalog import GROUPS, base_name
from icc_cli.errors import UsageError
from icc_cli.ranking.cells import coefficient, of_pair
from icc_cli.ranking.directions import UNSURE
from icc_cli.ranking.names import listed
from icc_cli.ranking.overall import overall
from icc_cli.ranking.places import concordance, mean_places, overall_places, places
from icc_cli.ranking.result import Part
from icc_cli.ranking.rows import Row, defined
from icc_cli.ranking.sources.matching import place_of
from icc_cli.ranking.study import Study
from icc_cli.ranking.table import GAP, METRICS
from icc_cli.ranking.values import Floats

PAPER = tuple(GROUPS["paper"])
BESIDE = tuple(name for name in METRICS if name != GAP)
"""What is known of the models, shown beside their places; the gap is the difference of two of them."""


def order(study: Study, papers: bool = True) -> Part:
    """A row for each model, best first: `place`, `mean_place` (the mean of its places by the measures), each measure's
    place, and what is known of its accuracies; `agreement` is Kendall's W of the measures.

    `study` holds every model (`every_model`). `papers` takes the paper's of its measures where there are some. Equal
    values share the mean of their places. A measure that no model has is left out, and said. UsageError when none is
    left.
    """
    wanted = tuple(name for name in study.measures if papers and base_name(name) in PAPER) or tuple(study.measures)
    chosen = _known(study, wanted)
    values = study.predicted(chosen)
    placed = places(values)
    mean = mean_places(placed)
    varies = np.fmin.reduce(values, axis=0) < np.fmax.reduce(values, axis=0)
    agreement = concordance(placed[:, varies])
    table = study.table
    metrics = [name for name in dict.fromkeys((*BESIDE, study.target)) if not np.isnan(table.column(name)).all()]
    final = overall_places(mean)
    rows: list[Row] = [
        {
            "checkpoint": table.names[i],
            "place": final[i],
            "mean_place": defined(mean[i]),
            "agreement": agreement,
            "places": {name: _place(placed[i, k]) for k, name in enumerate(chosen)},
            "metrics": {name: defined(table.column(name)[i]) for name in metrics},
        }
        for i in np.argsort(mean, kind="stable").tolist()
    ]
    title = f"Models by predicted generalization, best first: the mean of their places by {', '.join(chosen)}"
    said = (*_agreement(agreement, int(varies.sum())), _worth(study, mean))
    constant = [name for name, yes in zip(chosen, varies.tolist(), strict=True) if not yes]
    notes = [*study.notes, *_missing(study, wanted, mean)]
    if constant:
        notes.append(f"the same for every model, so it orders nothing: {listed(constant)}.")
    return Part(study.name, tuple(rows), title, tuple(notes), study.symbols, said)


def pair(study: Study, first: str, second: str) -> Part:
    """A row for each measure: its `values` of two checkpoints, their `difference` (first minus second), and which of
    them it says generalizes better; `better` is None for a tie, a missing value, and a sign not fixed beforehand.

    `study` holds every model. UsageError for a checkpoint that is not there.
    """
    table = study.table
    found = [place_of(name, table.names) for name in (first, second)]
    names = [table.names[i] for i in found]
    if found[0] == found[1]:
        raise UsageError(f"--pair names {names[0]} twice.", "Name two checkpoints.")
    predicted = study.predicted(tuple(study.measures))[found]
    rows: list[Row] = []
    for k, (measure, one) in enumerate(study.measures.items()):
        values = table.column(measure)[found]
        known = not np.isnan(values).any() and one.sign != UNSURE
        better = names[int(predicted[1, k] > predicted[0, k])] if known and values[0] != values[1] else None
        row: Row = {"pair": names, "measure": measure, "direction": one.direction}
        row |= {"sign": one.sign} if one.sign else {}
        row |= {"values": [defined(value) for value in values], "difference": defined(values[0] - values[1])}
        rows.append(row | {"better": better})
    votes = [sum(row["better"] == name for row in rows) for name in names]
    short = of_pair(names)
    left, right = names if short == names else (f"the {name}" for name in short)
    said = [f"{votes[0]} of {len(rows)} measures say that {left} generalizes better, {votes[1]} that {right} does."]
    for name in dict.fromkeys((*BESIDE, study.target)):
        known_values = table.column(name)[found]
        if not np.isnan(known_values).all():
            said.append(f"{name}: {' and '.join(map(_number, known_values))}.")
    title = f"first: {names[0]}, second: {names[1]}"
    return Part(study.name, tuple(rows), title, study.notes, study.symbols, tuple(said))


def _known(study: Study, wanted: Sequence[str]) -> tuple[str, ...]:
    """Those that some model has a value of."""
    kept = tuple(name for name in wanted if not np.isnan(study.table.column(name)).all())
    if not kept:
        raise UsageError(
            f"no model has a value of {listed(wanted)}.", f"Name others with --by. There are: {listed(study.measures)}."
        )
    return kept


def _agreement(agreement: float | None, measures: int) -> tuple[str, ...]:
    if measures < 2:
        return ()
    if agreement is None:
        return ("How far the measures agree is not known: no two models differ in what all of them have.",)
    return (
        f"Agreement of the measures: Kendall's W = {coefficient(agreement)} (1 for one order; {measures} measures that "
        f"have nothing to do with one another give {coefficient(1 / measures)} in the mean).",
    )


def _worth(study: Study, mean: Floats) -> str:
    """How far the order has been right where the target is known."""
    goal = study.goal
    known = np.isfinite(goal) & ~np.isnan(mean)
    count, total = int(known.sum()), len(goal)
    if count < 2:
        return (
            f"What such an order is worth here is not known: {'no model has' if not count else 'one model has'} a "
            f"{study.target}."
        )
    tau = overall(-mean[known, None], study.sense * goal[known])[0]
    whose = f"the {count} models" if count == total else f"the {count} of {total} models whose {study.target} is known"
    few = "; few models, so that little follows from it" if count < 10 else ""
    return (
        f"What the order has been worth: Kendall's tau-a with {study.target} is {coefficient(defined(tau))} over "
        f"{whose} (1 for the same order, 0 for none){few}."
    )


def _missing(study: Study, wanted: Sequence[str], mean: Floats) -> list[str]:
    """What is missing, and what is not sure."""
    notes = []
    table = study.table
    absent = {name: int(np.isnan(table.column(name)).sum()) for name in wanted}
    empty = [name for name, count in absent.items() if count == len(table)]
    if empty:
        notes.append(f"no model has a value, so it orders nothing: {listed(empty)}.")
    lacking = [f"{name} ({count})" for name, count in absent.items() if 0 < count < len(table)]
    if lacking:
        notes.append(
            f"models without a value of a measure: {listed(lacking)}; the mean is over the measures that a model has, "
            "and a place among fewer models counts as the same share of the way among all."
        )
    none = [name for name, one in zip(table.names, mean.tolist(), strict=True) if np.isnan(one)]
    if none:
        notes.append(f"no measure is known, so they have no place: {listed(none)}.")
    unsure = [name for name in wanted if study.measures[name].sign == UNSURE and name not in empty]
    if unsure:
        notes.append(f"sign {UNSURE}, taken as +1: {listed(unsure)}; --direction NAME=-1 turns it.")
    return notes


def _place(place: float) -> int | float | None:
    """A whole number where it is one: ties have halves."""
    if np.isnan(place):
        return None
    return int(place) if place == int(place) else float(place)


def _number(value: float) -> str:
    return "-" if np.isnan(value) else f"{value:.4g}"
