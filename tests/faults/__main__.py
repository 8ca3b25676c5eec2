"""What may happen to files, disks and processes, tried by the thousand: a table of what held.

python -m tests.faults [--only KIND] [--named WORDS] [--tries N] [--jobs N] [--quick]
"""

import argparse
import os
import sys
import tempfile
import time
from importlib import import_module

from icc_cli.resources import cpus
from tests.faults import forked, runner

KINDS = ("kills", "disks", "shared", "mutations", "fields", "sizes")
MUTATED = 100_000
"""Of a kind that has no end, so many."""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=KINDS, action="append", help="this kind alone; repeatable")
    parser.add_argument("--named", default="", metavar="WORDS", help="those alone whose name holds the words")
    parser.add_argument("--tries", type=int, help="about N of each kind, spread over all (default: all)")
    parser.add_argument("--jobs", type=int, default=cpus(), help="processes that try (default: one a core)")
    parser.add_argument("--quick", action="store_true", help="a few of each, as `make test` does")
    asked = parser.parse_args()
    forked.import_all()
    found, start = {}, time.monotonic()
    with tempfile.TemporaryDirectory(prefix="icc-faults-") as folder:
        for name in asked.only or KINDS:
            kind = import_module(f"tests.faults.{name}")
            tries = getattr(kind, "QUICK", 0) if asked.quick else asked.tries
            if tries is None and getattr(kind, "ENDLESS", False):
                tries = MUTATED
            found[kind.NAME] = runner.run(kind, tries, asked.jobs, folder, asked.quick, asked.named)
    print(runner.table(found))
    print(f"{time.monotonic() - start:.0f} s on {asked.jobs} core{'s' * (asked.jobs > 1)}", file=sys.stderr)
    return 1 if any(count.failed for counts in found.values() for count in counts.values()) else 0


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)  # what torch has imported would say at length what it did not free
