"""Which models are ranked: those with a target, trained well enough, seeds kept apart or averaged."""

from dataclasses import replace
from typing import Literal

import numpy as np

from icc_cli.errors import FormatError, UsageError
from icc_cli.ranking.table import SEED, TRAIN, ModelTable, average_seeds, with_gap

Seeds = Literal["within", "average"]


def prepare(
    table: ModelTable, target: str, min_train_accuracy: float | None = None, seeds: Seeds = "within"
) -> tuple[ModelTable, list[str]]:
    """The models to rank, and what was left out.

    Models without a finite target are left out, and with `min_train_accuracy` those under it. `average` then
    makes one model of those that differ in the seed alone, or in nothing; `within` leaves the seed a part of
    each group. UsageError when no model has the target; FormatError when fewer than two models are left.
    """
    told = []
    table = with_gap(table)
    goal = table.column(target)
    if len(table) and np.isnan(goal).all():
        raise UsageError(
            f"no model has a value for the target {target!r}.",
            "Name another with --target, or give the models their metrics with --runs.",
        )
    known = np.isfinite(goal)
    if not known.all():
        told.append(f"{np.sum(~known)} of {len(table)} models have no {target}, and are left out.")
        table = table.take(known)
    if min_train_accuracy is not None:
        table = _fitted(table, min_train_accuracy, told)
    if seeds == "average":
        table, merged = average_seeds(table)
        told.append(f"{merged} models were averaged with another that differs in the seed alone.")
    if len(table) < 2:
        raise FormatError(
            f"there {'is one model' if len(table) else 'are no models'} to rank, and two are needed.",
            " ".join(told) or "Give the records of more checkpoints.",
        )
    return table, told


def _fitted(table: ModelTable, least: float, told: list[str]) -> ModelTable:
    accuracy = table.column(TRAIN)
    if np.isnan(accuracy).all():
        raise UsageError(f"no model has a {TRAIN} for --min-train-accuracy.", "Give it with --runs.")
    fitted = accuracy >= least
    if not fitted.all():
        unknown = int(np.sum(np.isnan(accuracy)))
        told.append(
            f"{np.sum(~fitted)} of {len(table)} models have a train accuracy under {least:g}"
            f"{f' ({unknown} of them none at all)' if unknown else ''}, and are left out."
        )
    return table.take(fitted)


def only_hparams(table: ModelTable, names: tuple[str, ...] | None) -> ModelTable:
    """The table with the named hyperparameters and the seed alone; the others no longer tell models apart.

    None keeps all; UsageError when there is none, or a name is not there.
    """
    if names is None:
        if not set(table.hparams) - {SEED}:
            raise UsageError("there is no hyperparameter.", "Name columns with --hparams, or a table with --runs.")
        return table
    for name in names:
        if name not in table.hparams:
            available = ", ".join(table.hparams) or "none"
            raise UsageError(f"there is no hyperparameter {name!r}.", f"There is: {available}.")
    kept = dict.fromkeys((*names, *([SEED] if SEED in table.hparams else [])))
    return replace(table, hparams={name: table.hparams[name] for name in kept})
