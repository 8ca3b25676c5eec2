"""What is known of the networks trained so far, as records/runs.csv: no measures.

python collect.py WORK

A row for each network of WORK/ckpts*: its hyperparameters, accuracies, losses, epochs, how its training ended
(`stopped` by its loss, `done`, or `diverged`), whether it fits, and the seconds of training. Rows of networks that are
not in WORK are kept, so that a set can be trained in several places.
"""

import csv
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

RUNS = Path(__file__).parent / "records" / "runs.csv"

Row = dict[str, str]


def rows(work: Path) -> Iterator[Row]:
    """One for each finished training of `work`."""
    for path in sorted(work.glob("ckpts*/*.pt")):
        yield row(path.name, torch.load(path, map_location="cpu", weights_only=True, mmap=True))
    for path in sorted(work.glob("ckpts*/*.diverged.json")):
        yield row(path.name.replace(".diverged.json", ".pt"), json.loads(path.read_text()))


def row(name: str, content: dict[str, Any]) -> Row:
    training = content["training"]
    metrics = {key: "" if value is None else f"{value:.6g}" for key, value in content["metrics"].items()}
    hparams = {key: str(value) for key, value in content["hparams"].items()}
    state = {"epochs": str(content["epoch"]), "end": training["end"], "fitted": str(training["fitted"]).lower()}
    return {"checkpoint": name, **hparams, **state, **metrics}


def merged(work: Path, known: Path) -> list[Row]:
    """The rows of `work` and, of other networks, those in the table `known`, by name."""
    found: dict[str, Row] = {}
    if known.exists():
        with known.open(newline="") as file:
            found = {line["checkpoint"]: line for line in csv.DictReader(file)}
    found.update((line["checkpoint"], line) for line in rows(work))
    return [found[name] for name in sorted(found)]


def main() -> None:
    table = merged(Path(sys.argv[1]), RUNS)
    if not table:
        sys.exit("no network has been trained yet")
    RUNS.parent.mkdir(exist_ok=True)
    with RUNS.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(table[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(table)


if __name__ == "__main__":
    main()
