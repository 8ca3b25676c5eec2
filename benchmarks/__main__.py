"""Every step against its floor and its opponents, as one table: what `make bench` prints.

    python benchmarks [--thingsvision PYTHON]

About an hour on two cores; each row goes to stderr as soon as it is measured. The machine should do nothing else.
"""

import argparse
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import extract
import measure
import rank
import start
from timing import REPEATS, Row, table

from icc_cli import __version__


def rows(folder: Path, thingsvision: str | None) -> Iterator[Row]:
    yield from start.rows(folder)
    yield from rank.rows()
    yield from measure.rows(folder, 1.0, REPEATS)
    yield from extract.rows(10_000, REPEATS, thingsvision)
    yield from extract.many(2000, 20)


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
        found = []
        for row in rows(folder, arguments.thingsvision):
            found.append(row)
            print(" | ".join(row.cells()), file=sys.stderr, flush=True)
    finally:
        shutil.rmtree(folder)
    print(f"icc {__version__}, {date.today()}, {os.cpu_count()} cores of {processor()}, Python "
          f"{platform.python_version()}, {platform.system()}.\n")  # fmt: skip
    print(table(found))


if __name__ == "__main__":
    main()
