"""Every step against its floor and its opponents, as one table: what `make bench` prints.

    python benchmarks/every.py [--thingsvision PYTHON]

Half an hour or more on two cores; each row goes to stderr as it is measured. The machine should do nothing else.
"""

import argparse
import importlib
import multiprocessing
import os
import platform
import shutil
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from datetime import date
from pathlib import Path
from typing import Any

from timing import REPEATS, Row, table

from icc_cli import __version__


def apart(module: str, function: str, *arguments: Any) -> list[Row]:
    """The rows of one benchmark, in a process of its own: a command's peak memory is never under its parent's."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_told, module, function, arguments).result()


def _told(module: str, function: str, arguments: tuple[Any, ...]) -> list[Row]:
    found = []
    for row in getattr(importlib.import_module(module), function)(*arguments):
        found.append(row)
        print(" | ".join(row.cells()), file=sys.stderr, flush=True)
    return found


def processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []:
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def main() -> None:
    cli = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    cli.add_argument("--thingsvision", metavar="PYTHON", help="Of an environment with thingsvision.")
    arguments = cli.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="icc-bench-"))
    try:
        found = [
            *apart("start", "rows", folder),
            *apart("rank", "rows"),
            *apart("measure", "rows", folder, 1.0, REPEATS),
            *apart("extract", "steady", 10_000, REPEATS),
            *apart("extract", "rows", 10_000, REPEATS, arguments.thingsvision),
            *apart("extract", "many", 2000, 20, REPEATS),
        ]
    finally:
        shutil.rmtree(folder)
    print(f"icc {__version__}, {date.today()}, {os.cpu_count()} cores of {processor()}, Python "
          f"{platform.python_version()}, {platform.system()}.\n")  # fmt: skip
    print(table(found))


if __name__ == "__main__":
    main()
