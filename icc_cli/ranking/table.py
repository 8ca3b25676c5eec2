"""A table of models: what each was trained with, and numbers about each."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from icc_cli.catalog import About
from icc_cli.ranking.values import Floats, Value, codes

SEED = "seed"
CHECKPOINT = "checkpoint"
SEED_NAMES = frozenset({"seed", "randomseed", "manualseed", "globalseed", "rngseed", "torchseed", "seedvalue"}) | {
    "seedeverything",
    "randomstate",
}
TRAIN, TEST, GAP = "train_accuracy", "test_accuracy", "generalization_gap"
MODEL = "model"
MODEL_NAMES = frozenset({MODEL, "model_name", "arch", "architecture", "network", "net", "backbone", "family"})
"""Hyperparameters that name the architecture themselves."""
METRICS = (TRAIN, TEST, GAP, "train_loss", "test_loss")


@dataclass(frozen=True)
class ModelTable:
    """M models.

    names     M file names of checkpoints, or row numbers of a table without them
    hparams   by name, the M values of a hyperparameter; None where a model has none
    columns   names of the C columns of numbers (measures and metrics)
    values    (M, C) float64, NaN where a model has no value
    keys      M identities: the weights' hash, or the row's number; one per model
    header    every column that the source has, also those that were not read
    networks  M names of the architectures; empty when none is known
    about     by measure, what its records say of it, for measures that the catalog does not have
    notes     what was converted while it was read
    """

    names: tuple[str, ...]
    hparams: dict[str, tuple[Value, ...]]
    columns: tuple[str, ...]
    values: Floats
    keys: tuple[str, ...] = ()
    header: tuple[str, ...] = ()
    about: dict[str, About] = field(default_factory=dict)
    networks: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if len(self.keys) != len(self.names):
            object.__setattr__(self, "keys", tuple(map(str, range(len(self.names)))))

    def __len__(self) -> int:
        return len(self.names)

    @property
    def known_names(self) -> tuple[str, ...]:
        """Every name that an option may mean."""
        return tuple(dict.fromkeys((*self.columns, *self.hparams, *self.header)))

    def column(self, name: str) -> Floats:
        """The (M,) values of one column, all NaN when there is none of that name."""
        if name not in self.columns:
            return np.full(len(self), np.nan)
        return self.values[:, self.columns.index(name)]

    def take(self, rows: npt.NDArray[Any]) -> "ModelTable":
        """The models that `rows`, a mask or indices, selects."""
        index = np.arange(len(self))[rows]
        return replace(
            self,
            names=tuple(self.names[i] for i in index),
            hparams={name: tuple(values[i] for i in index) for name, values in self.hparams.items()},
            values=self.values[index],
            keys=tuple(self.keys[i] for i in index),
            networks=tuple(self.networks[i] for i in index) if self.networks else (),
        )

    def with_column(self, name: str, values: Floats) -> "ModelTable":
        """The table with one column of (M,) numbers added, or replaced."""
        if name in self.columns:
            new = self.values.copy()
            new[:, self.columns.index(name)] = values
            return replace(self, values=new)
        return replace(self, columns=(*self.columns, name), values=np.column_stack([self.values, values]))

    def with_hparam(self, name: str, values: Sequence[Value]) -> "ModelTable":
        """The table with one hyperparameter added, or replaced."""
        return replace(self, hparams={**self.hparams, name: tuple(values)})


def with_networks(table: ModelTable) -> ModelTable:
    """The table with the architecture as the hyperparameter `model`, where the models have several.

    Not where a hyperparameter is called a model already. Nor where models of one architecture are told apart by nothing
    else, not even a seed: whether they are replicates is not known.
    """
    kinds = len(set(table.networks))
    if kinds < 2 or any(name.lower() in MODEL_NAMES for name in table.hparams):
        return table
    known = any(codes(cells).max(initial=0) > 0 for cells in table.hparams.values())
    return table.with_hparam(MODEL, table.networks) if known or kinds == len(table) else table


def is_seed(name: str) -> bool:
    """Whether a column is a run's seed by its name: `seed`, `random_state`, `trainer.manual_seed`."""
    return re.sub(r"[^a-z]", "", re.split(r"[./]", name)[-1].lower()) in SEED_NAMES


def with_gap(table: ModelTable) -> ModelTable:
    """The table with `generalization_gap`, train minus test accuracy, where it has both and no such column."""
    if GAP in table.columns or not {TRAIN, TEST} <= set(table.columns):
        return table
    return table.with_column(GAP, table.column(TRAIN) - table.column(TEST))
