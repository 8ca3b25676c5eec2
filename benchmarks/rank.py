"""Cost of the granulated Kendall table at 10,000 models x 8 hyperparameters x 1,000 measures.

    python benchmarks/rank.py [--measures 1000] [--csv]

Prints processor seconds (one thread) and peak memory of the table in memory, with tau over all pairs and with the
standard errors; of thirty lines of numpy and scipy.stats.kendalltau that compute the same without errors, on a part of
the measures and scaled by their number; of the scores by mutual information; how the cost grows with models and
columns; and with --csv, the seconds of the whole command on a file of that size.
"""

import argparse
import itertools
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from scipy.stats import kendalltau
from timing import REPEATS, Row

from icc_cli.ranking.granulated import granulated
from icc_cli.ranking.groups import axes_of
from icc_cli.ranking.information import conditional_information, pgdl_score
from icc_cli.ranking.table import ModelTable

LEVELS = (2, 2, 2, 2, 5, 5, 5, 5)


def study(levels, measures, seed=0):
    """A full grid of models: its hyperparameters, (M, K) measures and (M,) target."""
    random = np.random.default_rng(seed)
    grid = list(itertools.product(*(range(n) for n in levels)))
    hparams = {f"h{i}": tuple(config[i] for config in grid) for i in range(len(levels))}
    table = ModelTable(tuple(map(str, range(len(grid)))), hparams, (), np.empty((len(grid), 0)))
    target = random.random(len(grid))
    return table, target[:, None] + random.normal(0, 0.5, (len(grid), measures)), target


def timed(table, values, target, sure=False):
    start = time.process_time()
    result = granulated(values, target, axes_of(table), sure=sure)
    return time.process_time() - start, result


def thirty_lines(hparams, values, target):
    """(A, K) psi and (K,) tau by numpy, for all measures at once, and scipy.stats.kendalltau."""
    codes = {name: np.unique(cells, return_inverse=True)[1] for name, cells in hparams.items()}
    psi = np.empty((len(codes), values.shape[1]))
    for i, name in enumerate(codes):
        others = np.column_stack([code for other, code in codes.items() if other != name])
        group = np.unique(others, axis=0, return_inverse=True)[1].ravel()
        order = np.argsort(group, kind="stable")
        sizes = np.bincount(group)
        size = sizes[0]
        assert (sizes == size).all(), "a full grid"
        members = order.reshape(-1, size)
        first, second = np.triu_indices(size, 1)
        goal = np.sign(target[members[:, first]] - target[members[:, second]])
        total = np.zeros(values.shape[1])
        for a, b, sign in zip(first, second, goal.T, strict=True):
            total += sign @ np.sign(values[members[:, a]] - values[members[:, b]])
        psi[i] = total / (len(members) * len(first))
    pairs = len(target) * (len(target) - 1) / 2
    tau = np.empty(values.shape[1])
    for k in range(values.shape[1]):
        tau_b = kendalltau(values[:, k], target).statistic
        untied = [
            pairs - sum(n * (n - 1) / 2 for n in np.unique(x, return_counts=True)[1]) for x in (values[:, k], target)
        ]
        tau[k] = tau_b * np.sqrt(untied[0] * untied[1]) / pairs
    return psi, tau


def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def opponent(table, values, target, measures):
    """Processor seconds of the thirty lines on some of the measures, scaled to all; the same numbers."""
    start = time.process_time()
    psi, tau = thirty_lines(table.hparams, values[:, :measures], target)
    seconds = (time.process_time() - start) * values.shape[1] / measures
    result = granulated(values[:, :measures], target, axes_of(table))
    np.testing.assert_allclose(psi, result.psi, atol=1e-12)
    np.testing.assert_allclose(tau, result.tau, atol=1e-12)
    return seconds


def rows():
    """The table at full size, in the form that the other benchmarks print theirs."""
    table, values, target = study(LEVELS, 1000)
    ours, theirs = [], []
    for _ in range(REPEATS):
        ours.append(timed(table, values, target)[0])
        theirs.append(opponent(table, values, target, 100))
    work = f"{len(target):,} models x {len(LEVELS)} hyperparameters x 1,000 measures, in memory (processor seconds)"
    yield Row(
        "rank",
        work,
        statistics.median(ours),
        opponent="thirty lines of numpy and scipy.stats.kendalltau",
        opponent_seconds=statistics.median(theirs),
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--measures", type=int, default=1000)
    parser.add_argument("--csv", action="store_true")
    arguments = parser.parse_args()
    table, values, target = study(LEVELS, arguments.measures)
    seconds, _ = min((timed(table, values, target) for _ in range(3)), key=lambda run: run[0])
    size = values.nbytes / 2**20
    print(f"{len(target)} models x {len(LEVELS)} hyperparameters x {arguments.measures} measures ({size:.0f} MiB)")
    print(f"table, with tau over all pairs: {seconds:.2f} s, peak {peak():.0f} MiB")
    sure, _ = min((timed(table, values, target, sure=True) for _ in range(2)), key=lambda run: run[0])
    print(f"with standard errors: {sure:.2f} s, peak {peak():.0f} MiB")
    theirs = opponent(table, values, target, min(100, arguments.measures))
    print(f"thirty lines of numpy and scipy.stats.kendalltau: {theirs:.2f} s, without standard errors")
    print(f"ratio: {theirs / seconds:.1f}, {theirs / sure:.1f} with standard errors")
    levels = {name: np.array(cells) for name, cells in table.hparams.items()}
    for name, score in (("cmi", conditional_information), ("pgdl", pgdl_score)):
        start = time.process_time()
        score(values[:, 0], target, levels)
        print(f"--score {name}, one measure: {time.process_time() - start:.2f} s")
    for levels, columns in ((LEVELS, arguments.measures // 2), (LEVELS[1:], arguments.measures)):
        part, _ = timed(*study(levels, columns))
        print(f"{int(np.prod(levels))} models x {columns} measures: {part:.2f} s")
    if arguments.csv:
        whole_command(table, values, target)


def whole_command(table, values, target):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.csv"
        names = [*table.hparams, "gap", *(f"m{k}" for k in range(values.shape[1]))]
        columns = np.column_stack([*table.hparams.values(), target, values])
        np.savetxt(path, columns, fmt="%.9g", delimiter=",", header=",".join(names), comments="")
        command = [sys.executable, "-m", "icc_cli", "rank", str(path), "--target", "gap", "--measures", "m*"]
        start = time.perf_counter()
        subprocess.run([*command, "--hparams", ",".join(table.hparams)], stdout=subprocess.DEVNULL, check=True)
        memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        size = path.stat().st_size / 2**20
        print(f"icc rank on a CSV of {size:.0f} MiB: {time.perf_counter() - start:.1f} s, peak {memory:.0f} MiB")


if __name__ == "__main__":
    main()
