"""Cost of the granulated Kendall table at 10,000 models x 8 hyperparameters x 1,000 measures.

    python benchmarks/rank.py [--measures 1000] [--csv] [--loop-measures 2]

Prints processor seconds (one thread) and peak memory of the table in memory; of a double loop over groups and pairs
in plain Python, on a few measures and scaled by their number; how the cost grows with models and with columns; and
with --csv, the seconds of the whole command on a file of that size.
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
from timing import REPEATS, Row

from icc_cli.ranking.granulated import granulated
from icc_cli.ranking.groups import axes_of
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


def timed(table, values, target):
    start = time.process_time()
    result = granulated(values, target, axes_of(table))
    return time.process_time() - start, result


def double_loop(table, measure, target):
    """psi of each axis by loops, with the grouping done once for the measure."""
    found = []
    for axis in table.hparams:
        groups = {}
        for i in range(len(target)):
            key = tuple(values[i] for name, values in table.hparams.items() if name != axis)
            groups.setdefault(key, []).append(i)
        taus = []
        for members in groups.values():
            total = pairs = 0
            for a, b in itertools.combinations(members, 2):
                m, t = measure[a] - measure[b], target[a] - target[b]
                total += ((m > 0) - (m < 0)) * ((t > 0) - (t < 0))
                pairs += 1
            if pairs:
                taus.append(total / pairs)
        found.append(sum(taus) / len(taus))
    return found


def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def rows():
    """The table at full size, in the form that the other benchmarks print theirs."""
    table, values, target = study(LEVELS, 1000)
    ours, loops = [], []
    for _ in range(REPEATS):
        ours.append(timed(table, values, target)[0])
        start = time.process_time()
        double_loop(table, values[:, 0].tolist(), target.tolist())
        loops.append(1000 * (time.process_time() - start))
    seconds, loop = statistics.median(ours), statistics.median(loops)
    work = f"{len(target):,} models x {len(LEVELS)} hyperparameters x 1,000 measures, in memory (processor seconds)"
    yield Row("rank", work, seconds, opponent="double loop in Python, one measure x 1,000", opponent_seconds=loop)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--measures", type=int, default=1000)
    parser.add_argument("--loop-measures", type=int, default=2)
    parser.add_argument("--csv", action="store_true")
    arguments = parser.parse_args()
    table, values, target = study(LEVELS, arguments.measures)
    seconds, result = min((timed(table, values, target) for _ in range(3)), key=lambda run: run[0])
    size = values.nbytes / 2**20
    print(f"{len(target)} models x {len(LEVELS)} hyperparameters x {arguments.measures} measures ({size:.0f} MiB)")
    print(f"table, with tau over all pairs: {seconds:.2f} s, peak {peak():.0f} MiB")
    start = time.process_time()
    for k in range(arguments.loop_measures):
        slow = double_loop(table, values[:, k].tolist(), target.tolist())
        np.testing.assert_allclose(slow, result.psi[:, k], atol=1e-12)
    each = (time.process_time() - start) / arguments.loop_measures
    print(f"double loop: {each:.2f} s a measure, {each * arguments.measures:.0f} s scaled")
    print(f"ratio: {each * arguments.measures / seconds:.0f}, although the loop leaves tau over all pairs out")
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
