"""Time and memory of `--measures all --per-site` against c1 to c4 alone: medians of five runs of each, in turn.

    python benchmarks/field.py [ROWS]

A cache of ROWS (50,000) samples, 1,952 neurons in 17 sites, a head of 256 inputs and 20 outputs.
"""

import resource
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from caches import PAPER_WIDTHS
from timing import REPEATS, icc, peak

from icc_cli.cache import HeadWeights, Rows, SiteInfo, new_cache

CLASSES, SUBCLASSES, WIDTH = 20, 5, 256
ROWS_AT_ONCE = 5000


def make(path: Path, rows: int) -> None:
    """A cache with a head; every subclass has its own means."""
    rng = np.random.default_rng(0)
    finest = np.sort(np.arange(rows) % (CLASSES * SUBCLASSES))
    sites = [SiteInfo(f"relu#{i}", "map", width, 1) for i, width in enumerate(PAPER_WIDTHS)]
    tables = [*sites, SiteInfo("head", "head", WIDTH, 1), SiteInfo("logits", "logits", CLASSES, 1)]
    centres = [rng.standard_normal((CLASSES * SUBCLASSES, table.neurons), np.float32) for table in tables]
    weight = rng.standard_normal((CLASSES, WIDTH), np.float32)
    with new_cache(path, "float32") as writer:
        head = HeadWeights(weight, np.zeros(CLASSES, np.float32))
        writer.create(Rows(np.arange(rows), finest // SUBCLASSES, finest % SUBCLASSES), tables, head)
        for start in range(0, rows, ROWS_AT_ONCE):
            groups = finest[start : start + ROWS_AT_ONCE]
            blocks = [c[groups] + rng.standard_normal((len(groups), c.shape[1]), np.float32) for c in centres]
            writer.write(start, blocks)
        facts = {"checkpoint": "0.pt", "weights_sha256": "0" * 64, "hparams": {}, "metrics": {}}
        writer.finish(np.zeros(rows, np.int64), facts, "key")


def taken(*arguments: object) -> tuple[float, float]:
    """Seconds and processor seconds of one command."""
    start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    icc(*arguments)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.perf_counter() - start, used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 50_000
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "acts.h5"
        make(path, rows)
        commands = [("measure", "--measures", group, "--per-site", "-q", path) for group in ("paper", "all")]
        runs = [[taken(*arguments) for arguments in commands] for _ in range(REPEATS + 1)][1:]
        peaks = [peak(*arguments) for arguments in commands]
    paper, everything = (
        [statistics.median(column) for column in zip(*of_one, strict=True)] for of_one in zip(*runs, strict=True)
    )
    print("| measures | seconds | processor seconds | MB |\n| --- | --- | --- | --- |")
    for name, (seconds, processor), memory in zip(("c1 to c4", "all"), (paper, everything), peaks, strict=True):
        print(f"| {name} | {seconds:.2f} | {processor:.2f} | {memory:.0f} |")
    print(f"| all / c1 to c4 | {everything[0] / paper[0]:.2f} | {everything[1] / paper[1]:.2f} | |")


if __name__ == "__main__":
    main()
