"""A study: the models of one set with a target, the measures with their directions, and what they are compared along.

Whoever ranks, tabulates or draws starts from one. Directions are applied here and nowhere else: `values` are
the measures times theirs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import get_args

import numpy as np

from icc_cli.catalog import About
from icc_cli.errors import UsageError
from icc_cli.ranking import directions
from icc_cli.ranking.controls import controls_of, with_random
from icc_cli.ranking.directions import Expected, expected
from icc_cli.ranking.groups import Axis, axes_of
from icc_cli.ranking.names import listed
from icc_cli.ranking.prepare import averaged_models, only_hparams, prepare
from icc_cli.ranking.replicates import Seeds, with_seed
from icc_cli.ranking.sources.selection import Selection, chosen_measures
from icc_cli.ranking.table import TRAIN, ModelTable, with_networks
from icc_cli.ranking.values import Floats


@dataclass(frozen=True)
class Settings:
    """How a table becomes a study.

    directions     +1 or -1 by measure, for those that the user decides; UsageError for what these cannot be
    controls       whether the trivial is ranked too
    common         only the models that have every measure
    """

    directions: Mapping[str, int] = field(default_factory=dict)
    min_train_accuracy: float | None = None
    seeds: Seeds = "auto"
    controls: bool = True
    common: bool = False

    def __post_init__(self) -> None:
        for name, sign in self.directions.items():
            if sign not in (1, -1):
                raise UsageError(f"the direction of {name} is {sign!r}, expected 1 or -1.")
        if self.seeds not in get_args(Seeds):
            raise UsageError(f"--seeds {self.seeds} is none of {', '.join(get_args(Seeds))}.")
        if self.min_train_accuracy is not None and not 0 <= self.min_train_accuracy <= 1:
            raise UsageError(f"--min-train-accuracy {self.min_train_accuracy:g} is not between 0 and 1.")


@dataclass(frozen=True)
class Study:
    """M models with a target, K measures and C controls.

    name       of the set of models; empty when there is one
    table      the models, replicates averaged
    runs       the models before that
    measures   K names with their directions; controls likewise
    axes       the hyperparameters that vary, with their groups of models of `table`
    notes      what was converted, assumed or left out
    merged     which replicates `table` averages
    """

    name: str
    table: ModelTable
    runs: ModelTable
    target: str
    measures: dict[str, Expected]
    controls: dict[str, Expected]
    axes: tuple[Axis, ...]
    notes: tuple[str, ...] = ()
    merged: tuple[str, ...] = ()

    @property
    def goal(self) -> Floats:
        """(M,) the target."""
        return self.table.column(self.target)

    @property
    def values(self) -> Floats:
        """(M, K) the measures times their directions."""
        return directed(self.table, self.measures)

    @property
    def sense(self) -> int:
        """-1 for a target that should be small, +1 for the others."""
        return directions.sense(self.target) or 1

    def predicted(self, measures: Sequence[str]) -> Floats:
        """(M, K) some of the measures, turned so that a larger value predicts a better target."""
        return self.sense * directed(self.table, {name: self.measures[name] for name in measures})

    @property
    def axis_names(self) -> list[str]:
        return [axis.name for axis in self.axes]

    @property
    def symbols(self) -> dict[str, str]:
        """LaTeX of the measures that icc does not declare, as their records say."""
        return {name: about.symbol for name, about in self.table.about.items() if about.symbol}

    def take(self, rows: np.typing.NDArray[np.bool_]) -> "Study":
        """The study of some of its models."""
        table = self.table.take(rows)
        return replace(self, table=table, axes=axes_of(table))


def directed(table: ModelTable, measures: Mapping[str, Expected]) -> Floats:
    """(M, K) columns of a table times their directions."""
    values: Floats = table.values[:, [table.columns.index(name) for name in measures]]
    values *= [one.direction for one in measures.values()]
    return values


def study_of(table: ModelTable, selection: Selection, settings: Settings | None = None, name: str = "") -> Study:
    """The study of one table of models: hyperparameters chosen, units settled, replicates averaged.

    UsageError for an option that names nothing, FormatError when fewer than two models are left.
    """
    settings = settings or Settings()
    table, seeded = with_seed(with_networks(table))
    table = only_hparams(table, selection.hparams)
    names = chosen_measures([column for column in table.columns if column not in selection.apart], selection, table)
    _refuse_two_uses(selection, names)
    runs, told = prepare(table, selection.target, settings.min_train_accuracy, beside=(*names, *selection.others))
    runs = with_random(runs)
    if settings.common:
        runs = _common(runs, names, told)
    controls = controls_of(runs, (*names, *selection.apart)) if settings.controls else ()
    directions.refuse_unknown(settings.directions, (*names, *controls))
    averages, merged = averaged_models(runs, settings.seeds)
    measures = {one: expected(one, selection.target, settings.directions, table.about) for one in names}
    told += directions.notes(measures, selection.target, table.about)
    return Study(
        name,
        averages,
        runs,
        selection.target,
        measures,
        {one: _control(one, selection, settings) for one in controls},
        axes_of(averages),
        (*seeded, *told),
        tuple(merged),
    )


def _refuse_two_uses(selection: Selection, measures: Sequence[str]) -> None:
    """UsageError for a hyperparameter that is the target, or is ranked: within a group it would not vary."""
    for name in selection.hparams or ():
        if name == selection.target or name in measures:
            use = "the target" if name == selection.target else "ranked"
            raise UsageError(f"{name!r} is named as a hyperparameter, and is {use}.", "Leave it out of one of them.")


def every_model(table: ModelTable, selection: Selection, settings: Settings | None = None, name: str = "") -> Study:
    """The study of every model, whether its target is known or not, each by itself: no axes, controls or averages.

    UsageError for an option that names nothing, FormatError for fewer than two models.
    """
    settings = settings or Settings()
    names = chosen_measures([column for column in table.columns if column not in selection.apart], selection, table)
    directions.refuse_unknown(settings.directions, names)
    models, told = prepare(table, selection.target, settings.min_train_accuracy, every=True)
    if settings.common:
        models = _common(models, names, told)
    measures = {one: expected(one, selection.target, settings.directions, table.about) for one in names}
    told += directions.notes(measures, selection.target, table.about)
    return Study(name, models, models, selection.target, measures, {}, (), tuple(told))


def _control(name: str, selection: Selection, settings: Settings) -> Expected:
    """As of a measure, and of the training accuracy, which nobody declares, that it goes with accuracy."""
    told = {TRAIN: About(TRAIN, with_accuracy=1)}
    return expected(name, selection.target, settings.directions, told)


def _common(table: ModelTable, names: Sequence[str], told: list[str]) -> ModelTable:
    """The models that have every measure that some model has."""
    columns = [table.column(name) for name in names]
    present = np.all([~np.isnan(column) for column in columns if not np.isnan(column).all()], axis=0)
    if np.sum(present) < 2:
        raise UsageError(
            "fewer than two models have every measure.", f"Leave --common out, or rank fewer than {listed(names)}."
        )
    if not present.all():
        told.append(f"{np.sum(~present)} of {len(table)} models lack a measure, and are left out of all.")
    return table.take(present)
