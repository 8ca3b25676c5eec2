"""Every table and figure of this study from its committed records: rewrites README.md between its markers.

python studies/cifar100-superclasses/study.py
"""

import csv
import itertools
import json
import re
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from scipy.stats import kendalltau

Record = dict[str, Any]
HERE = Path(__file__).parent
FITTED = 0.99
MEASURES = ("c1", "c2", "c3", "c4")
SHARPNESS = ("inv_sigma", "inv_sigma_kernels", "inv_alpha", "inv_alpha_kernels")
NAMES = {
    "inv_sigma": "1/sigma'",
    "inv_sigma_kernels": "1/sigma''",
    "inv_alpha": "1/alpha'",
    "inv_alpha_kernels": "1/alpha''",
}
AXES = ("lr", "batch_size", "weight_decay", "optimizer", "dropout", "augmentation", "width", "depth")
PAPER = {
    "c1": (0.88, 0.31, 0.38, 0.67, 0.96, 1.0, 0.81, 0.69, 0.71),
    "c2": (0.86, 0.50, 0.67, 0.58, 0.99, 1.0, 0.38, 0.62, 0.70),
    "c3": (0.88, 0.60, 0.46, 0.62, 0.81, 1.0, 0.81, 0.66, 0.73),
    "c4": (0.89, 0.69, 0.62, 0.65, 0.86, 1.0, 0.44, 0.69, 0.73),
    "1/sigma'": (0.81, 0.51, 0.31, 0.69, 0.28, -0.58, 0.67, 0.61, 0.41),
    "1/sigma''": (0.86, 0.58, 0.17, 0.40, -0.05, 0.42, 0.69, 0.72, 0.47),
    "1/alpha'": (0.88, 0.94, 0.29, 0.26, 0.60, 0.08, -0.03, -0.09, 0.37),
    "1/alpha''": (0.85, 0.80, 0.48, 0.71, 0.16, -0.08, 0.08, 0.34, 0.42),
}
"""Table 1 of the paper: the axes in the order of AXES, and the total."""

Row = dict[str, Any]


def tables() -> dict[str, str]:
    """Each table of README.md, by the name in its markers."""
    models = fitted("measures")
    return {
        "fit": fit_table(),
        "kendall": kendall_table(models),
        "k": k_table(models),
        "depth": depth_table(models),
        "share": share_table(models),
        "convention": convention_table(models),
        "seed": seed_table(),
        "movement": movement_table(),
    }


def main() -> None:
    readme = HERE / "README.md"
    text = readme.read_text()
    for name, table in tables().items():
        marked = re.compile(f"(<!-- begin {name} -->\n).*?(<!-- end {name} -->)", re.DOTALL)
        text, found = marked.subn(partial(_between, table), text)
        assert found == 1, f"README.md lacks the markers of {name}"
    readme.write_text(text)
    figures(fitted("measures"))


def _between(table: str, match: re.Match[str]) -> str:
    return f"{match[1]}{table}\n{match[2]}"


def records(name: str) -> list[Record]:
    return [json.loads(line) for line in (HERE / "records" / f"{name}.jsonl").read_text().splitlines()]


def fitted(name: str) -> list[Record]:
    """The records of the networks that fit."""
    return [record for record in records(name) if record["metrics"]["train_accuracy"] >= FITTED]


def rank(models: Iterable[Record], measures: Sequence[str], joined: Iterable[Row] = (), *options: str) -> list[Row]:
    """The rows of `icc rank` over `models`, with intervals; `joined` are further columns by checkpoint."""
    joined = list(joined)
    options = ("--measures", ",".join(measures), "--no-controls", "-q", *options)
    with saved(models) as source, tempfile.NamedTemporaryFile("w", suffix=".csv", newline="") as side:
        if joined:
            table = csv.DictWriter(side, list(joined[0]))
            table.writeheader()
            table.writerows(joined)
            side.flush()
            options += ("--join", side.name)
        printed = icc("rank", source, *options)
    return [json.loads(line) for line in printed.splitlines()]


def icc(*arguments: str) -> str:
    return subprocess.run(
        [sys.executable, "-m", "icc_cli", *arguments], check=True, stdout=subprocess.PIPE, text=True
    ).stdout


def joined(models: Iterable[Record], columns: Callable[[Record], Row]) -> list[Row]:
    return [{"checkpoint": record["checkpoint"], **columns(record)} for record in models]


def cell(value: float | None, interval: Sequence[float] | None = None) -> str:
    if value is None:
        return "-"
    number = f"{value:.2f}".replace("-", "\N{MINUS SIGN}")
    if interval is None:
        return number
    return f"{number} [{', '.join(cell(edge) for edge in interval)}]"


def markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def psis(row: Row, axes: Sequence[str] = AXES) -> list[str]:
    found = [row["axes"].get(axis, {"psi": None}) for axis in axes]
    return [cell(axis["psi"], axis.get("interval")) for axis in found]


def fit_table() -> str:
    """How many networks of each value of each hyperparameter do not fit, and how well those that do generalize."""
    models = records("measures")
    rows = []
    for axis in AXES:
        for value in sorted({model["hparams"][axis] for model in models}):
            group = [model["metrics"] for model in models if model["hparams"][axis] == value]
            tests = [metrics["test_accuracy"] for metrics in group if metrics["train_accuracy"] >= FITTED]
            rows.append(
                [axis, str(value), f"{len(group) - len(tests)} of {len(group)}", f"{statistics.mean(tests):.3f}"]
            )
    return markdown(["hyperparameter", "value", "not fitted", "mean test accuracy of the fitted"], rows)


def kendall_table(models: list[Record]) -> str:
    """Ours, then the paper's; sharpness is of fewer networks when some have no record."""
    sharp = fitted("sharpness")
    rows = []
    groups: dict[str, int] = {}
    for found in (rank(models, MEASURES), rank(sharp, SHARPNESS)):
        for row in found:
            groups = groups or {axis: row["axes"][axis]["groups"] for axis in AXES}
            name = NAMES.get(str(row["measure"]), str(row["measure"]))
            total = cell(row["Psi"], row["Psi_interval"])
            rows.append([name, "here", str(row["models"]), *psis(row), total])
            rows.append(paper_row(name))
    counts = ["groups", "here", "", *(str(groups[axis]) for axis in AXES), ""]
    return markdown(["measure", "", "models", *AXES, "Psi"], [counts, *rows])


def paper_row(name: str) -> list[str]:
    return [name, "paper", "192", *map(cell, PAPER[name])]


def totals(rows: Iterable[Row]) -> list[str]:
    return [cell(row["Psi"], row["Psi_interval"]) for row in rows]


def k_table(models: list[Record]) -> str:
    """Psi of c1 and c3 with k of 1, 30 and all neurons."""
    every = joined(models, lambda r: {f"{name}@k=all": r["all_k"][name][-1] for name in ("c1", "c3")})
    choices = ("1", "30", "all")
    lines = []
    for name in ("c1", "c3"):
        found = {row["measure"]: row for row in rank(models, [f"{name}@k={k}" for k in choices], every)}
        lines.append([name, *totals(found[f"{name}@k={k}"] for k in choices)])
    return markdown(["measure", *(f"k = {k}" for k in choices)], lines)


def depth_table(models: list[Record]) -> str:
    """Psi of the mean over the sites of the first, the middle and the last third of each network, with Holm's p over
    all of the table.
    """

    def thirds(record: Record) -> Row:
        sites = record["sites"]
        edges = [round(i * len(sites) / 3) for i in range(4)]
        parts = dict(zip(("first", "middle", "last"), itertools.pairwise(edges), strict=True))
        return {
            f"{name}@{part}": statistics.mean(site[name] for site in sites[start:stop])
            for name in MEASURES
            for part, (start, stop) in parts.items()
        }

    columns = joined(models, thirds)
    parts = ("first", "middle", "last")
    names = [f"{name}@{part}" for name in MEASURES for part in parts]
    found = {row["measure"]: row for row in rank(models, names, columns)}
    lines = []
    for name in MEASURES:
        rows = [found[f"{name}@{part}"] for part in parts]
        shown = [f"{total}, p {row['p_holm']:.2f}" for total, row in zip(totals(rows), rows, strict=True)]
        lines.append([name, *shown, *(psis(row, ["depth"])[0] for row in rows)])
    head = [f"{part} third of the sites" for part in parts] + [f"depth's psi, {part} third" for part in parts]
    return markdown(["measure", *head], lines)


def share_table(models: list[Record]) -> str:
    """Psi of c4 by the share of samples on which a neuron counts as active."""
    with (HERE / "records" / "c4-share.csv").open() as file:
        columns = list(csv.DictReader(file))
    kept = {model["checkpoint"] for model in models}
    names = [name for name in columns[0] if name != "checkpoint"]
    found = rank(models, names, [row for row in columns if row["checkpoint"] in kept])
    lines = [[row["measure"].partition("=")[2] + " %", *psis(row), *totals([row])] for row in found]
    return markdown(["active", *AXES, "Psi"], lines)


def convention_table(models: list[Record]) -> str:
    """Psi of every measure in the two conventions."""
    other = rank(fitted("reference"), MEASURES, (), "--convention", "reference")
    lines = zip(MEASURES, totals(rank(models, MEASURES)), totals(other), strict=True)
    return markdown(["measure", "the paper's text", "the authors' code"], lines)


def both_seeds() -> tuple[list[Record], list[Record]]:
    """The networks of configurations that fit with both seeds, in one order."""

    def key(record: Record) -> str:
        return str(sorted((name, value) for name, value in record["hparams"].items() if name != "seed"))

    second = {key(record): record for record in fitted("measures-seed1")}
    first = {key(record): record for record in fitted("measures") if key(record) in second}
    shared = sorted(first)
    return [first[name] for name in shared], [second[name] for name in shared]


def seed_table() -> str:
    """The same part of the grid with either seed, and with both."""
    first, second = both_seeds()
    axes = [axis for axis in AXES if len({record["hparams"][axis] for record in first}) > 1]
    lines = []
    for title, models in (("0", first), ("1", second), ("0 and 1", first + second)):
        for row in rank(models, MEASURES):
            lines.append([row["measure"], title, str(row["models"]), *psis(row, axes), *totals([row])])
    lines.sort(key=lambda line: line[0])
    return markdown(["measure", "seed", "models", *axes, "Psi"], lines)


def movement_table() -> str:
    """Between seeds against between configurations: standard deviations, and the tau of one seed with the other."""
    first, second = both_seeds()
    lines = []
    for name in ("test_accuracy", *MEASURES):
        kind = "metrics" if name == "test_accuracy" else "measures"
        pairs = [(a[kind][name], b[kind][name]) for a, b in zip(first, second, strict=True)]
        # Two draws differ by sqrt(2) standard deviations of one.
        seeds = statistics.mean((a - b) ** 2 / 2 for a, b in pairs) ** 0.5
        configurations = statistics.stdev((a + b) / 2 for a, b in pairs)
        tau = kendalltau(*zip(*pairs, strict=True)).statistic
        lines.append([name, f"{seeds:.4f}", f"{configurations:.4f}", cell(tau)])
    return markdown(["", "between seeds (s.d.)", "between configurations (s.d.)", "tau of seed 0 with seed 1"], lines)


def figures(models: list[Record]) -> None:
    """The figures that records suffice for, of the networks of the tables; run.sh makes the one of activations."""
    folder = HERE / "figures"
    folder.mkdir(exist_ok=True)
    with saved(models) as source:
        for figure in ("scatter", "k", "sites"):
            icc("plot", figure, source, "-o", str(folder / f"{figure}.png"), "-q")
    with saved([*models, *fitted("sharpness")]) as source:
        for figure in ("psi", "axes"):
            icc("plot", figure, source, "-o", str(folder / f"{figure}.png"), "-q")
    icc("plot", "training", str(HERE / "records" / "results-epochs.jsonl"), "-o", str(folder / "training.png"), "-q")


@contextmanager
def saved(models: Iterable[Record]) -> Iterator[str]:
    """A file of these records, for the time of the context."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "records.jsonl"
        path.write_text("".join(json.dumps(record) + "\n" for record in models))
        yield str(path)


if __name__ == "__main__":
    main()
