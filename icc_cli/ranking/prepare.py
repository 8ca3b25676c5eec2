"""Which models are ranked: those with a target, trained well enough."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from icc_cli.errors import FormatError, UsageError
from icc_cli.ranking.names import listed, suggestion
from icc_cli.ranking.replicates import Seeds, averaged
from icc_cli.ranking.table import SEED, TRAIN, ModelTable, is_seed, with_gap
from icc_cli.ranking.units import in_fractions, refuse_mixtures
from icc_cli.ranking.values import canonical, codes, copies_of

LARGEST_WHOLE = 2.0**53


def prepare(
    table: ModelTable,
    target: str,
    min_train_accuracy: float | None = None,
    every: bool = False,
    beside: Sequence[str] = (),
) -> tuple[ModelTable, list[str]]:
    """The models to rank, each by itself, and what was converted or left out.

    Accuracies become fractions, the generalization gap is taken where it is not there, infinite measures are no
    value. Models without a finite target are left out, unless `every` keeps them, and with `min_train_accuracy` those
    under it.
    `beside` names the columns that are ranked or held fixed, whose units must not be mixed either.
    UsageError when no model has the target; FormatError when fewer than two models are left.
    """
    table, told = in_fractions(table, target)
    refuse_mixtures(table, beside)
    told = [*table.notes, *told]
    table = with_gap(table)
    if not every:
        table = _with_target(table, target, told)
    if min_train_accuracy is not None:
        table = _fitted(table, min_train_accuracy, told)
    _enough(table, told)
    table = _finite(table, told)
    told += _oddities(table)
    return table, told


def _with_target(table: ModelTable, target: str, told: list[str]) -> ModelTable:
    goal = table.column(target)
    if len(table) and np.isnan(goal).all():
        raise UsageError(
            f"no model has a value for the target {target!r}.",
            f"Name another with --target, or give it with --runs. {suggestion(target, table.known_names)} "
            "`icc rank --checkpoints` orders the models without one.",
        )
    known = np.isfinite(goal)
    if not known.all():
        told.append(f"{np.sum(~known)} of {len(table)} models have no {target}, and are left out.")
    return table.take(known)


def averaged_models(table: ModelTable, seeds: Seeds) -> tuple[ModelTable, list[str]]:
    """The models with replicates averaged; FormatError when one is left.

    Where no hyperparameter varies, nothing says which models are replicates, and each stays by itself.
    """
    if not any(codes(cells).max(initial=0) for name, cells in table.hparams.items() if name != SEED):
        return table, []
    table, told = averaged(table, seeds)
    _enough(table, told)
    return table, told


def _enough(table: ModelTable, told: list[str]) -> None:
    if len(table) < 2:
        raise FormatError(
            f"there {'is one model' if len(table) else 'are no models'} to rank, and two are needed.",
            " ".join(told) or "Give the records of more checkpoints.",
        )


def _fitted(table: ModelTable, least: float, told: list[str]) -> ModelTable:
    accuracy = table.column(TRAIN)
    if np.isnan(accuracy).all():
        raise UsageError(
            f"no model has a {TRAIN} for --min-train-accuracy.",
            f"Give it with --runs, or name its column so. {suggestion(TRAIN, table.known_names)}",
        )
    fitted = accuracy >= least
    if not fitted.all():
        unknown = int(np.sum(np.isnan(accuracy)))
        told.append(
            f"{np.sum(~fitted)} of {len(table)} models have a train accuracy under {least:g}"
            f"{f' ({unknown} of them none at all)' if unknown else ''}, and are left out."
        )
    return table.take(fitted)


def _finite(table: ModelTable, told: list[str]) -> ModelTable:
    infinite = np.isinf(table.values)
    if not infinite.any():
        return table
    found = [f"{name} ({n})" for name, n in zip(table.columns, infinite.sum(axis=0).tolist(), strict=True) if n]
    told.append(f"infinite, and so left out of the measure: {listed(found)}.")
    return replace(table, values=np.where(infinite, np.nan, table.values))


def _oddities(table: ModelTable) -> list[str]:
    told = []
    for name, cells in table.hparams.items():
        copies = copies_of(dict.fromkeys(map(canonical, cells)))
        if copies:
            shown = ", ".join(f"{copy!r} as {original!r}" for copy, original in list(copies.items())[:3])
            told.append(f"{name} holds rounded or 32-bit copies of its values, taken as these: {shown}.")
    with np.errstate(invalid="ignore"):
        large = np.any(np.abs(table.values) > LARGEST_WHOLE, axis=0)
    for name in (name for name, yes in zip(table.columns, large.tolist(), strict=True) if yes):
        told.append(f"{name} has values over 2^53, where whole numbers are no longer told apart.")
    return told


def only_hparams(table: ModelTable, names: tuple[str, ...] | None) -> ModelTable:
    """The table with the named hyperparameters and the seed alone; the others no longer tell models apart.

    None keeps all; UsageError when a name is not there.
    """
    if names is None:
        return table
    names = tuple(
        SEED if is_seed(name) and name not in table.hparams and SEED in table.hparams else name for name in names
    )
    for name in names:
        if name not in table.hparams:
            raise UsageError(f"there is no hyperparameter {name!r}.", suggestion(name, table.known_names))
    kept = dict.fromkeys((*names, *([SEED] if SEED in table.hparams else [])))
    return replace(table, hparams={name: table.hparams[name] for name in kept})
