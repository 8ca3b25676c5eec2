"""What goes to stderr: errors, warnings, notes, and progress. stdout is for data alone."""

import contextlib
import sys
import time
from collections.abc import Iterator
from typing import Protocol

from icc_cli.errors import IccError

SECONDS_BETWEEN_LINES = 10.0


class Advance(Protocol):
    """Counts `amount` of work as done; `detail` says what is being worked on."""

    def __call__(self, amount: float, detail: str = "") -> None: ...


class Reporter:
    """Writes to stderr. `quiet` silences notes and progress; warnings and errors always show."""

    def __init__(self, quiet: bool = False) -> None:
        self.quiet = quiet

    def note(self, text: str) -> None:
        if not self.quiet:
            self._line(text)

    def warn(self, text: str) -> None:
        self._line(f"warning: {text}")

    def error(self, error: IccError) -> None:
        self._line(f"error: {error}")

    def _line(self, text: str) -> None:
        print(f"icc: {text}", file=sys.stderr, flush=True)

    @contextlib.contextmanager
    def progress(self, label: str, total: float) -> Iterator[Advance]:
        """Yield a function that counts work done towards `total`.

        A bar when stderr is a terminal, otherwise a line every ten seconds, nothing when quiet.
        """
        if self.quiet:
            yield lambda amount, detail="": None
        elif sys.stderr.isatty():
            with self._bar(label, total) as advance:
                yield advance
        else:
            yield self._lines(label, total)

    @contextlib.contextmanager
    def _bar(self, label: str, total: float) -> Iterator[Advance]:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

        columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
        with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task(label, total=total)

            def advance(amount: float, detail: str = "") -> None:
                bar.update(task, advance=amount, description=f"{label}{': ' if detail else ''}{detail}")

            yield advance

    def _lines(self, label: str, total: float) -> Advance:
        start = last = time.monotonic()
        done = 0.0

        def advance(amount: float, detail: str = "") -> None:
            nonlocal done, last
            done += amount
            now = time.monotonic()
            if now - last >= SECONDS_BETWEEN_LINES and done < total:
                last = now
                left = (now - start) * (total - done) / done
                self._line(
                    f"{label}: {100 * done / total:.0f} %, about {_duration(left)} left{'; ' if detail else ''}{detail}"
                )

        return advance


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
