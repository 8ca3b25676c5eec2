"""What the benchmarks share: runs that take turns, medians, and rows of one table."""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

REPEATS = 5
SECONDS_BETWEEN_LOOKS = 0.01
ROOT = Path(__file__).parent.parent
ICC = (sys.executable, "-m", "icc_cli")
HEAD = (
    "step",
    "work",
    "ours (s)",
    "floor",
    "floor (s)",
    "ours / floor",
    "opponent",
    "opponent (s)",
    "opponent / ours",
    "peak (MB)",
)


@dataclass(frozen=True)
class Row:
    """One line of the table; seconds are medians, peak is the memory of our processes in MB."""

    step: str
    work: str
    ours: float
    floor: str = ""
    floor_seconds: float | None = None
    opponent: str = ""
    opponent_seconds: float | None = None
    peak: float | None = None

    def cells(self) -> list[str]:
        return [
            self.step,
            self.work,
            f"{self.ours:.3g}",
            self.floor,
            "" if self.floor_seconds is None else f"{self.floor_seconds:.3g}",
            "" if self.floor_seconds is None else f"{self.ours / self.floor_seconds:.2f}",
            self.opponent,
            "" if self.opponent_seconds is None else f"{self.opponent_seconds:.3g}",
            "" if self.opponent_seconds is None else f"{self.opponent_seconds / self.ours:.3g}",
            "" if self.peak is None else f"{self.peak:.0f}",
        ]


def table(rows: Sequence[Row]) -> str:
    """The rows as markdown."""
    lines = [list(HEAD), ["---"] * len(HEAD), *(row.cells() for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def alternating(*works: Callable[[], object], repeats: int = REPEATS) -> list[float]:
    """Median seconds of each work, run in turn `repeats` times, after one run of each that is not counted."""
    for work in works:
        work()
    seconds: list[list[float]] = [[] for _ in works]
    for _ in range(repeats):
        for found, work in zip(seconds, works, strict=True):
            start = time.perf_counter()
            work()
            found.append(time.perf_counter() - start)
    return [statistics.median(found) for found in seconds]


def icc(*arguments: object) -> None:
    """Run `icc` in a process of its own."""
    command(*ICC, *arguments)


def command(*arguments: object) -> None:
    """Run a command to its end, its output thrown away."""
    if _started(*arguments).wait():
        raise RuntimeError(f"{' '.join(map(str, arguments))} failed")


def peak(*arguments: object) -> float:
    """MB that `icc` takes at most, with all its processes, in a run of its own: looking takes time.

    What processes share counts once (their proportional set sizes, added up).
    """
    process = _started(*ICC, *arguments)
    most = 0.0
    while process.poll() is None:
        most = max(most, sum(map(_share, _tree(process.pid))))
        time.sleep(SECONDS_BETWEEN_LOOKS)
    if process.returncode:
        raise RuntimeError(f"{' '.join(map(str, arguments))} failed")
    return most


def _started(*arguments: object) -> subprocess.Popen[bytes]:
    """Settings that some machines need for other programs are left out: Python keeps its byte code, and BLAS takes the
    kernel that it finds best."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if name != "PYTHONDONTWRITEBYTECODE" and not name.startswith("OPENBLAS_")
    }
    environment["PYTHONPATH"] = str(ROOT)
    return subprocess.Popen([*map(str, arguments)], stdout=subprocess.DEVNULL, cwd=ROOT, env=environment)


def _tree(process: int) -> list[int]:
    """A process and all that it has started."""
    try:
        children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    except OSError:
        children = []
    return [process, *(other for child in children for other in _tree(int(child)))]


def _share(process: int) -> float:
    """MB of a process' proportional set; 0 when it has ended."""
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024
