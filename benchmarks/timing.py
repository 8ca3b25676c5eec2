"""What the benchmarks share: runs that take turns, medians, and rows of one table."""

import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

REPEATS = 5
SECONDS_BETWEEN_LOOKS = 0.02
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


def icc(*arguments: object) -> float:
    """Run `icc` in a process of its own; gives its peak memory in MB."""
    return command(*ICC, *arguments)


def command(*arguments: object) -> float:
    """Run a command to its end, its output thrown away; gives its peak memory in MB.

    Settings that some machines need for other programs are left out: Python keeps its byte code, and BLAS takes the
    kernel that it finds best.
    """
    environment = {
        name: value
        for name, value in os.environ.items()
        if name != "PYTHONDONTWRITEBYTECODE" and not name.startswith("OPENBLAS_")
    }
    environment["PYTHONPATH"] = str(ROOT)
    process = subprocess.Popen([*map(str, arguments)], stdout=subprocess.DEVNULL, cwd=ROOT, env=environment)
    memory = Memory(process.pid)
    memory.start()
    if process.wait():
        raise RuntimeError(f"{' '.join(map(str, arguments))} failed")
    return memory.peak()


class Memory(threading.Thread):
    """Looks at the memory of a process and of those that it starts, for as long as there are any."""

    def __init__(self, process: int) -> None:
        super().__init__(daemon=True)
        self._process = process
        self._peaks: dict[int, float] = {}

    def peak(self) -> float:
        """MB: the largest resident set of each process, added up, so that what they share counts for each."""
        self.join()
        return sum(self._peaks.values())

    def run(self) -> None:
        while self._look(self._process):
            time.sleep(SECONDS_BETWEEN_LOOKS)

    def _look(self, process: int) -> bool:
        place = Path("/proc", str(process))
        try:
            state = dict(line.split(":", 1) for line in (place / "status").read_text().splitlines())
            children = (place / "task" / str(process) / "children").read_text().split()
        except OSError:
            return False
        if "VmHWM" not in state:  # it has ended, and nobody has waited for it
            return False
        self._peaks[process] = int(state["VmHWM"].split()[0]) / 1024
        for child in children:
            self._look(int(child))
        return True
