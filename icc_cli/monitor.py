"""Following a network's measures along its training."""

import html
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from torch import nn
from torch.utils.data import DataLoader, Subset

from icc_cli.errors import UsageError
from icc_cli.extraction.how import Extraction
from icc_cli.extraction.loader import activations
from icc_cli.measures.chosen import choose
from icc_cli.measures.declare import Measure
from icc_cli.measuring import measure

MAX_SAMPLES = 10_000
EXACTLY = Extraction()


@dataclass(frozen=True)
class Seen:
    """What a monitor saw after one epoch: the measures' values, and the accuracy on the samples it looked at."""

    epoch: int
    measures: dict[str, float | None]
    train_accuracy: float


class Monitor:
    """Measures a network every few epochs of its training, and leaves both as they were.

    `loader` gives (x, y) or (x, y, sublabels), without augmentation; of a DataLoader's data set at most `max_samples`
    are taken, the same ones every time, at even distances (None takes all). `sublabels` (N,) go with the samples of the
    whole data set. `measures` are names, groups or measures, `every` the epochs from one look to the next; `options`
    are those of `icc_cli.measure` (k, layer_k, convention, ...). `how` says how activations are taken.

    The training goes on as it would have without: the model's weights, mode and hooks, and every random generator,
    are as before each call.

        monitor = icc.Monitor(loader, measures=("c1", "c3"), every=5)
        for epoch in range(1, epochs + 1):
            train_one_epoch(model)
            monitor(model, epoch)
        monitor.history[-1].measures
    """

    def __init__(
        self,
        loader: Iterable[Any],
        sublabels: ArrayLike | None = None,
        measures: str | Measure | Sequence[str | Measure] = ("c1", "c3"),
        every: int = 5,
        max_samples: int | None = MAX_SAMPLES,
        how: Extraction = EXACTLY,
        **options: Any,
    ) -> None:
        if every < 1:
            raise UsageError(f"every must be at least 1, got {every}.")
        wanted = [measures] if isinstance(measures, str | Measure) else list(measures)
        self.names = tuple(one.measure.name for one in choose(wanted))
        self.every = every
        self.history: list[Seen] = []
        self._loader, self._sublabels = _part(loader, sublabels, max_samples)
        self._measures = wanted
        self._options = options
        self._how = how

    def due(self, epoch: int) -> bool:
        """Whether a call after `epoch` (counted from 1; 0 is the untrained network) looks at the network."""
        return epoch % self.every == 0

    def __call__(self, model: nn.Module, epoch: int) -> Seen | None:
        """Measure `model` if it is due after `epoch`, add what was seen to the history, and return it."""
        if not self.due(epoch):
            return None
        found = activations(model, self._loader, sublabels=self._sublabels, how=self._how)
        result = measure(found, measures=self._measures, **self._options)
        seen = Seen(epoch, dict(result), float(np.mean(found.predictions == found.labels)))
        self.history.append(seen)
        return seen

    def rows(self) -> list[dict[str, float | int | None]]:
        """The history as rows, for a data frame: epoch, train_accuracy, and each measure."""
        return [{"epoch": seen.epoch, "train_accuracy": seen.train_accuracy, **seen.measures} for seen in self.history]

    def restore(self, rows: Iterable[Mapping[str, float | int | None]]) -> None:
        """Put back a history that `rows` gave, as an interrupted training does."""
        facts = ("epoch", "train_accuracy")
        self.history = [
            Seen(
                int(row["epoch"] or 0),
                {name: value for name, value in row.items() if name not in facts},
                float(row["train_accuracy"] or 0),
            )
            for row in rows
        ]

    def __repr__(self) -> str:
        return "\n".join(
            f"epoch {row['epoch']}: " + ", ".join(f"{k} {_shown(v)}" for k, v in row.items() if k != "epoch")
            for row in self.rows()
        )

    def _repr_html_(self) -> str:
        names = ("epoch", "train_accuracy", *self.names)
        head = "".join(f"<th>{html.escape(name)}</th>" for name in names)
        body = "".join(
            "<tr>" + "".join(f"<td>{_shown(row.get(name))}</td>" for name in names) + "</tr>" for row in self.rows()
        )
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _part(
    loader: Iterable[Any], sublabels: ArrayLike | None, most: int | None
) -> tuple[Iterable[Any], NDArray[Any] | None]:
    """The loader of the samples to look at, in a fixed order, and their sublabels."""
    given = None if sublabels is None else np.asarray(sublabels)
    if not isinstance(loader, DataLoader) or not hasattr(loader.dataset, "__len__"):
        return loader, given
    count = len(loader.dataset)
    if given is not None and len(given) != count:
        raise UsageError(f"there are {len(given)} sublabels and {count} samples.", "Give one for each sample.")
    rows = np.arange(count) if most is None or most >= count else np.linspace(0, count - 1, most).round().astype(int)
    part: DataLoader[Any] = DataLoader(
        Subset(loader.dataset, rows.tolist()),
        batch_size=loader.batch_size or MAX_SAMPLES,
        num_workers=loader.num_workers,
        collate_fn=loader.collate_fn,
        pin_memory=loader.pin_memory,
    )
    return part, None if given is None else given[rows]


def _shown(value: float | None) -> str:
    return "–" if value is None else str(value) if isinstance(value, int) else f"{value:.4g}"
