"""What the checks of files cost: their share of the processor seconds of whole commands.

python benchmarks/checks.py [--repeats 5] [--rows 50000] [--images 2000]

Checks are: reading an HDF5 file's structure in a fork, which has to be done somewhere, declared shapes, the weighing of
memory and of networks, and of checkpoints the look at what they are, their checksums and the search for numbers that
are not finite. Each command runs in a fork that has imported what it needs, and counts the seconds in its checks, those
of their forks too.
(Commands without any check differ from those with them by less than two runs of one do on a machine with other work.)
"""

import argparse
import functools
import os
import resource
import statistics
import sys
import tempfile
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[variable] = "1"

import caches  # noqa: E402
import numpy as np  # noqa: E402

from icc_cli.cli import app, command  # noqa: E402
from icc_cli.forks import Fork  # noqa: E402

CHECKS = {
    "icc_cli.hdf5": ("ends",),
    "icc_cli.shapes": ("require", "fits"),
    "icc_cli.resources": ("check_memory", "check_text"),
    "icc_cli.checkpoints.identity": ("refuse_what_is_something_else",),
    "icc_cli.checkpoints.suspect": ("check_archive", "check_tensors"),
    "icc_cli.checkpoints.fit": ("_finite",),
}
MEASURE = ("icc_cli.measuring", "icc_cli.cache.joined")
EXTRACT = ("icc_cli.extraction.checkpoint", "icc_cli.models.infer", "torchvision.models")


class Spent:
    """Processor seconds within functions that were `counted`, of those that call one another once."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._within = False

    def counted(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def call(*arguments: Any, **named: Any) -> Any:
            if self._within:
                return function(*arguments, **named)
            self._within, start = True, _now()
            try:
                return function(*arguments, **named)
            finally:
                self.seconds += _now() - start
                self._within = False

        return call


def _now() -> float:
    """Processor seconds of this process and of its forks that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--images", type=int, default=2000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as folder:
        os.chdir(folder)
        print("| command | processor (s) | in checks (ms) | share |\n|---|--:|--:|--:|")
        measure = ("measure", "a.h5", "-o", "m", "--force", "-q")
        for rows, widths in ((given.rows, caches.PAPER_WIDTHS), (1000, (32,) * 8), (100, (8, 8))):
            caches.make(Path("a.h5"), rows, widths, 10, 2, 0)
            _row(f"`measure` of {rows:,} x {sum(widths):,}", measure, MEASURE, given.repeats)
        data = ("--data", "npz:d.npz", "--mean", "0.5", "--std", "0.25")
        extract = ("extract", "net.pt", "-o", "x.h5", "--force", "-q", "--model", "torchvision:resnet18", *data)
        for images in (given.images, 20):
            _network(images)
            _row(f"`extract` of a ResNet-18 over {images:,} images of 32 x 32", extract, EXTRACT, given.repeats)


def _network(images: int) -> None:
    """A ResNet-18 in net.pt, and so many images in d.npz."""
    import torch
    import torchvision

    torch.set_num_threads(1)
    torch.save(torchvision.models.resnet18(num_classes=10).state_dict(), "net.pt")
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (images, 32, 32, 3), np.uint8)
    np.savez("d.npz", images=pixels, labels=np.arange(images) % 10)


def _row(what: str, arguments: tuple[str, ...], modules: tuple[str, ...], repeats: int) -> None:
    """A row of medians, after a run that is not counted."""
    for name in modules:
        import_module(name)
    command(arguments[0])
    found = [_run(arguments) for _ in range(repeats + 1)][1:]
    seconds, checks = (statistics.median(column) for column in zip(*found, strict=True))
    print(f"| {what} | {seconds:.3f} | {1000 * checks:.1f} | {100 * checks / seconds:.1f} % |", flush=True)


def _run(arguments: tuple[str, ...]) -> tuple[float, float]:
    """Processor seconds of the command in a fork of this process, and those of its checks."""
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        for stream in (1, 2):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
        spent = Spent()
        _count(spent)
        code = 0
        try:
            app(list(arguments))
        except SystemExit as end:
            code = int(end.code or 0)
        os.write(theirs, str(spent.seconds).encode())
        os._exit(code)
    os.close(theirs)
    checks = float(os.read(ours, 100))
    os.close(ours)
    _, status, used = os.wait4(child, 0)
    if status:
        raise SystemExit(f"icc {' '.join(arguments)} failed")
    return used.ru_utime + used.ru_stime, checks


def _count(spent: Spent) -> None:
    """Have each check counted, wherever it was imported to, and the weighing of networks."""
    ours = [module for name, module in sys.modules.items() if name.startswith("icc_cli")]
    for place, names in CHECKS.items():
        for check in [getattr(sys.modules[place], name) for name in names if place in sys.modules]:
            counted = spent.counted(check)
            for module in ours:
                for name, value in list(vars(module).items()):
                    if value is check:
                        setattr(module, name, counted)
    if weighed := sys.modules.get("icc_cli.models.weighed"):
        weighed.Weighed._count = spent.counted(weighed.Weighed._count)
    for name in ("_begin", "close"):  # the fork that reads HDF5's structure: its making, and all that it took
        setattr(Fork, name, spent.counted(getattr(Fork, name)))


if __name__ == "__main__":
    main()
