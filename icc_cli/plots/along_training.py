"""Figure 6: the measures and the training accuracy along training, a line for each run."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from icc_cli.errors import UsageError
from icc_cli.plots.figure import Figure, Given
from icc_cli.plots.style import COLOURS, MARKERS, Drawing, Levels, Mark, Row, label, level_text, panels, symbols_of
from icc_cli.records import MEASURE, Record

ACCURACIES = ("train_accuracy", "test_accuracy")
COLUMNS = 3


def runs_of(records: Sequence[Record]) -> list[dict[int, Record]]:
    """The measure records of each run by epoch: those that agree on the data, the model and every hyperparameter."""
    runs: dict[str, dict[int, Record]] = {}
    for record in records:
        if record.kind == MEASURE and record.epoch is not None:
            identity = [record.data, record.model, record.hparams]
            runs.setdefault(json.dumps(identity, sort_keys=True, default=str), {})[record.epoch] = record
    return list(runs.values())


def before_the_last(records: Sequence[Record]) -> set[str]:
    """The weights' hashes of the checkpoints that a run left before its last epoch."""
    return {
        record.weights_sha256 for epochs in runs_of(records) for epoch, record in epochs.items() if epoch < max(epochs)
    }


def rows(given: Given) -> list[Row]:
    """A row for each run, epoch and quantity: the value, and the run's last test accuracy.

    A run's name says the hyperparameters that vary. UsageError when no run has two epochs.
    """
    models = given.models
    runs = [epochs for epochs in runs_of(models.records) if len(epochs) > 1]
    if not runs:
        raise UsageError(
            f"no run of {models.name or 'these models'} has records of two epochs or more.",
            "Train with --save-epochs 1,2,5, extract and measure what is saved, and give all the records.",
        )
    names = _names([next(iter(epochs.values())).hparams for epochs in runs])
    symbols = symbols_of(record for epochs in runs for record in epochs.values())
    found = []
    for name, epochs in zip(names, runs, strict=True):
        final = epochs[max(epochs)].metrics.get("test_accuracy")
        for epoch, record in sorted(epochs.items()):
            metrics = {key: record.metrics.get(key) for key in ACCURACIES}
            for quantity, value in {**record.measures, **metrics}.items():
                if value is not None:
                    found.append(
                        {
                            "set": models.name,
                            "run": name,
                            "epoch": epoch,
                            "quantity": quantity,
                            "symbol": symbols.get(quantity, ""),
                            "value": value,
                            "final_test_accuracy": final,
                        }
                    )
    return found


def _names(hparams: Sequence[Mapping[str, object]]) -> list[str]:
    """A name for each run, unique: the hyperparameters that differ."""
    keys = list(dict.fromkeys(key for each in hparams for key in each))
    varying = [key for key in keys if len({json.dumps(each.get(key), default=str) for each in hparams}) > 1]
    names = [", ".join(f"{key} {level_text(each.get(key))}" for key in varying) or "run" for each in hparams]
    return [f"{name} ({i + 1})" if names.count(name) > 1 else name for i, name in enumerate(names)]


def draw(found: Sequence[Row]) -> Drawing:
    """A panel for each quantity, the accuracies last and with one scale.

    Up to seven runs have a colour and a name each; more are coloured by their last test accuracy.
    """
    measures = list(dict.fromkeys(row["quantity"] for row in found if row["quantity"] not in ACCURACIES))
    accuracies = [name for name in ACCURACIES if any(row["quantity"] == name for row in found)]
    quantities = measures + accuracies
    runs = _runs(found)
    graded = len(runs) > len(COLOURS) and all(run.final is not None for run in runs)
    levels = Levels.of("test_accuracy", [run.final for run in runs]) if graded else None
    with panels(-(-len(quantities) // COLUMNS), min(COLUMNS, len(quantities)), 1.7, sharex=True) as (figure, grid):
        drawing = Drawing(figure)
        cells = grid.ravel().tolist()
        shown = dict(zip(quantities, cells, strict=False))
        for quantity, axes in shown.items():
            for order, run in enumerate(runs):
                _line(drawing, axes, [row for row in run.rows if row["quantity"] == quantity], run, order, levels)
            symbol = next(row["symbol"] for row in found if row["quantity"] == quantity)
            axes.set_title(label(quantity, symbol or ""))
        for name in accuracies[1:]:
            shown[name].sharey(shown[accuracies[0]])
        for axes in cells[len(quantities) :]:
            axes.set_visible(False)
        for axes in cells[max(0, len(quantities) - COLUMNS) : len(quantities)]:
            axes.set_xlabel("epoch")
            axes.tick_params(labelbottom=True)
        if levels:
            levels.key(figure, cells)
        elif len(runs) <= 2 * len(COLOURS):
            handles, texts = cells[0].get_legend_handles_labels()
            figure.legend(handles, texts, loc="outside lower center", ncols=1 if max(map(len, texts)) > 45 else 2)
    return drawing


@dataclass(frozen=True)
class Run:
    """The rows of one run, what a legend calls it, and its last test accuracy."""

    rows: list[Row]
    name: str
    final: float | None


def _runs(found: Sequence[Row]) -> list[Run]:
    several = len({row["set"] for row in found}) > 1
    parts: dict[tuple[str, str], list[Row]] = {}
    for row in found:
        parts.setdefault((row["set"], row["run"]), []).append(row)
    runs = []
    for (one, name), part in parts.items():
        final = part[0]["final_test_accuracy"]
        text = f"{one}: {name}" if several else name
        runs.append(Run(part, text if final is None else f"{text} (test {final:.3f})", final))
    return runs


def _line(drawing: Drawing, axes: Any, part: list[Row], run: Run, order: int, levels: Levels | None) -> None:
    axes.plot(
        [row["epoch"] for row in part],
        [row["value"] for row in part],
        color=levels.colour(run.final) if levels else COLOURS[order % len(COLOURS)],
        marker=None if levels else MARKERS[order % len(MARKERS)],
        markersize=2.5,
        linewidth=0.7 if levels else 1.3,
        label=run.name,
    )
    for row in part:
        drawing.marks.append(
            Mark(axes, row["epoch"], row["value"], f"{run.name}, epoch {row['epoch']}: {row['value']:.4g}", run.name)
        )


TRAINING = Figure("training", "runs", rows, draw, "The measures and the accuracies along training.")
