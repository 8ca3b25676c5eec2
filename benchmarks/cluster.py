"""What Slurm costs an input, and what a cache of the paper's size costs to measure.

    tests/slurm/cluster start FOLDER; export SLURM_CONF=FOLDER/slurm.conf
    python benchmarks/cluster.py

Measures 1,000 small caches serially and as an array of 8 tasks, checks that the records are the same, and then one
cache of the shape of the paper's WRN (50,000 samples, 1,920 neurons, 20 classes of 5 subclasses).
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from caches import make

SMALL, TASKS = 1000, 8
STAGE_NEURONS = (32, 64, 128, 256)


def seconds(*arguments):
    """Wall seconds of one icc command."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-m", "icc_cli", *map(str, arguments)], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def main():
    folder = Path(tempfile.mkdtemp(prefix="icc-bench-"))
    try:
        for seed in range(SMALL):
            make(folder / "small" / f"{seed:04}.h5", 100, (24, 48), 2, 5, seed)
        serial = seconds("measure", "-q", folder / "small", "-o", folder / "serial")
        again = seconds("measure", "-q", folder / "small", "-o", folder / "serial")
        print(f"{SMALL} small caches: {serial:.1f} s serially; {again:.1f} s to see that all are done")
        array = ("--array", TASKS, "--logs", folder / "jobs", "--wait", "-q", "--")
        if "SLURM_CONF" in os.environ:
            slurm = seconds("submit", *array, "measure", "-q", folder / "small", "-o", folder / "slurm")
            for record in (folder / "serial").iterdir():
                assert record.read_bytes() == (folder / "slurm" / record.name).read_bytes(), record.name
            cores = min(TASKS, os.cpu_count() or 1)
            more = 1000 * (slurm * cores - serial) / SMALL
            print(f"the same in {TASKS} tasks on {cores} cores: {slurm:.1f} s; {more:.1f} ms of a core more an input")
        make(folder / "paper" / "wrn.h5", 50_000, [w for w in STAGE_NEURONS for _ in range(4)], 20, 5, 0)
        size = (folder / "paper" / "wrn.h5").stat().st_size
        took = seconds("measure", "-q", "--layer-k", 5, folder / "paper" / "wrn.h5", "-o", folder / "record")
        print(f"one cache of the paper's WRN: {size / 1e6:.0f} MB, measured in {took:.1f} s")
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
