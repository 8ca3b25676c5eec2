"""`icc measure` against its floor, against the formulas as one would write them, and as caches grow and multiply.

    python benchmarks/measure.py [--quick]

The floor is the least that any exact computation does: read the file once, and one product U'U for each site
(float32, as c4's are; numpy's BLAS on every core). The opponent is the paper's formulas with numpy and
scikit-learn, every distance matrix built, at N = 10,000 (at 50,000 its c4 would need 20 GB). --quick takes a tenth
of the samples and two repeats: for trying the benchmark, not for figures.
"""

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
from caches import PAPER_WIDTHS, make
from timing import ICC, REPEATS, Row, alternating, command, icc, peak, table

OPTIONS = ("--all-k", "--per-site", "--layer-k", "5", "-q")


def measure(path: Path, *options: str) -> None:
    icc("measure", *OPTIONS, *options, path)


def memory(path: Path) -> float:
    return peak("measure", *OPTIONS, path)


FLOOR = """
import sys, h5py, numpy as np
with h5py.File(sys.argv[1]) as file:
    for group in file["sites"].values():
        data = group["preactivations"]
        gram = np.zeros((data.shape[1], data.shape[1]), np.float32)
        step = max(1, 2**22 // data.shape[1])
        for start in range(0, len(data), step):
            block = data[start : start + step].astype(np.float32)
            gram += block.T @ block
"""


def floor(path: Path) -> None:
    """Read each site once, in blocks, and add up U'U: a program that imports nothing else."""
    command(sys.executable, "-c", FLOOR, path)


def formulas(path: str) -> None:
    """c1 to c4 as the paper writes them, a distance matrix for each class and for the data set."""
    from sklearn.metrics import pairwise_distances, silhouette_samples

    def spread(rows: np.ndarray) -> float:
        distances = pairwise_distances(rows, metric="cosine")
        return float(distances[np.triu_indices(len(distances), 1)].std())

    with h5py.File(path) as file:
        labels, sublabels = file["labels/class"][:], file["labels/subclass"][:]
        sites = [group["preactivations"][:].astype(np.float64) for group in file["sites"].values()]
    neurons = np.concatenate(sites, axis=1)
    selective, silhouettes = [], []
    for label in np.unique(labels):
        inside = labels == label
        for sublabel in np.unique(sublabels[inside]):
            own, rest = neurons[inside & (sublabels == sublabel)], neurons[inside & (sublabels != sublabel)]
            score = (own.mean(0) - rest.mean(0)) / (own.std(0) + rest.std(0) + 1e-7)
            selective.append(np.sort(score)[-30:].mean())
        by_site = []
        for site in sites:
            scores = silhouette_samples(np.maximum(site[inside], 0), sublabels[inside], metric="cosine")
            by_site.append([scores[sublabels[inside] == sublabel].mean() for sublabel in np.unique(sublabels[inside])])
        silhouettes.append(np.sort(by_site, axis=0)[-5:].mean(0))
    ratios = np.array([neurons[labels == label].std(0) / (neurons.std(0) + 1e-7) for label in np.unique(labels)])
    spreads = []
    for site in sites:
        scaled = (site - site.mean(0)) / (site.std(0) + 1e-7)
        active = np.maximum(scaled - np.percentile(scaled, 75, axis=0), 0)
        whole = spread(active)
        spreads.append([spread(active[labels == label]) / whole for label in np.unique(labels)])
    values = (
        np.median(selective),
        np.median(silhouettes),
        np.sort(ratios, axis=1)[:, -30:].mean(),
        np.sort(spreads, axis=0)[-5:].mean(),
    )
    assert all(np.isfinite(values))


def rows(folder: Path, scale: float, repeats: int) -> Iterator[Row]:
    """The benchmark's lines, each as soon as it is measured; `scale` multiplies the samples."""
    whole, small, large = (round(n * scale) for n in (50_000, 10_000, 500_000))
    paper, larger = folder / "whole.h5", folder / "large.h5"
    make(paper, whole, PAPER_WIDTHS, 20, 5, 0)
    ours, least = alternating(lambda: measure(paper), lambda: floor(paper), repeats=repeats)
    work = f"{whole:,} x 1,952 neurons in 17 sites, 20 classes of 5 subclasses, all measures, every k, per site"
    yield Row("measure", work, ours, "file read once, one U'U a site", least, peak=memory(paper))

    make(larger, large, PAPER_WIDTHS, 20, 5, 0)
    tenfold, one = alternating(lambda: measure(larger), lambda: measure(paper), repeats=repeats)
    taken = memory(larger)
    larger.unlink()
    yield Row("measure, memory", f"10 x N = {large:,} samples", tenfold, "10 x the time for N", 10 * one, peak=taken)

    path = folder / "small.h5"
    make(path, small, PAPER_WIDTHS, 20, 5, 0)
    ours, nothing, theirs = alternating(
        lambda: measure(path), lambda: icc("measure", "--help"), lambda: opponent(path), repeats=repeats
    )
    yield Row("measure", f"the same at N = {small:,}", ours, "start-up alone (measure --help)", nothing,
              "numpy, scikit-learn", theirs)  # fmt: skip

    path = folder / "wide.h5"
    samples = round(100_000 * scale)
    make(path, samples, (4096,), 1000, 1, 0)
    ours, least = alternating(lambda: measure(path), lambda: floor(path), repeats=repeats)
    taken = memory(path)
    path.unlink()
    yield Row("measure, wide", f"{samples:,} x 4,096 neurons in one site, 1,000 classes", ours, "file read, U'U", least,
              peak=taken)  # fmt: skip

    many = folder / "many"
    for seed in range(64):
        make(many / f"{seed}.h5", round(2000 * scale), PAPER_WIDTHS, 20, 5, seed)
    cores = os.cpu_count() or 1
    one, both, several = alternating(
        lambda: command("taskset", "-c", "0", *ICC, "measure", *OPTIONS, many),
        lambda: measure(many),
        lambda: measure(many, "--jobs", str(cores)),
        repeats=repeats,
    )
    work = f"64 caches of {round(2000 * scale):,} samples, --jobs {cores}"
    yield Row("measure, many", work, several, "one process on one core / cores", one / cores,
              "one process on one core", one)  # fmt: skip
    yield Row("measure, many", work, several, opponent="one process on both cores", opponent_seconds=both)


def opponent(path: Path) -> None:
    """`formulas` in a process of its own."""
    code = "import sys; sys.path.insert(0, sys.argv[1]); import measure; measure.formulas(sys.argv[2])"
    command(sys.executable, "-c", code, Path(__file__).parent, path)


def main() -> None:
    cli = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    cli.add_argument("--quick", action="store_true")
    quick = cli.parse_args().quick
    folder = Path(tempfile.mkdtemp(prefix="icc-bench-"))
    try:
        found = []
        for row in rows(folder, 0.1 if quick else 1.0, 2 if quick else REPEATS):
            found.append(row)
            print(" | ".join(row.cells()), file=sys.stderr, flush=True)
        print(table(found))
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
