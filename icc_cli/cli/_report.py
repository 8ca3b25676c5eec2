"""What goes to stderr: errors, warnings, notes, and progress. stdout is for data alone."""

import contextlib
import sys
import time
from collections.abc import Iterator
from typing import Protocol

from icc_cli.cli._progress import FILE_WIDTH, Whole, cut, duration
from icc_cli.errors import IccError

SECONDS_BETWEEN_LINES = 10.0
BAR = 16
PER_CENT, TIME = 7, 10
"""Characters beside the bar, with the blanks between."""


class Advance(Protocol):
    """Counts `amount` of work as done; `detail` says what is being worked on."""

    def __call__(self, amount: float, detail: str = "") -> None: ...


class Reporter:
    """Writes to stderr. `quiet` silences notes and progress; warnings and errors always show."""

    def __init__(self, quiet: bool = False) -> None:
        self.quiet = quiet
        self._whole: Whole | None = None
        self._last = time.monotonic()

    def begin(self, total: int | None) -> None:
        """Say from now on how many of `total` inputs are done; None where their number is not known."""
        self._whole = None if total == 1 else Whole(total)

    def step(self) -> None:
        """One more input is done: a line every ten seconds."""
        if self._whole is None:
            return
        self._whole.step()
        if self._whole.done != self._whole.total and self._due() and not self.quiet:
            self._line(self._whole.text())

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

        # Names are text, whatever brackets they hold. The time left is the run's where there are several inputs.
        time_left = [] if self._whole else [TimeRemainingColumn()]
        columns = (TextColumn("{task.description}", markup=False), BarColumn(BAR), TaskProgressColumn(), *time_left)
        console = Console(stderr=True)
        with Progress(*columns, console=console, transient=True) as bar:
            task = bar.add_task(self._described(label, "", 0.0, console.width), total=total)
            done = 0.0

            def advance(amount: float, detail: str = "") -> None:
                nonlocal done
                done += amount
                described = self._described(label, detail, done / (total or 1), console.width)
                bar.update(task, advance=amount, description=described)

            yield advance

    def _described(self, label: str, detail: str, share: float, width: int) -> str:
        """What stands before the bar: the whole run, then what is in hand, cut to what the line has room for."""
        whole = f"{self._whole.text(share)}  " if self._whole else ""
        room = width - BAR - PER_CENT - (0 if whole else TIME) - len(whole)
        return whole + cut(f"{label}: {detail}" if detail else label, room)

    def _lines(self, label: str, total: float) -> Advance:
        start = time.monotonic()
        if self._whole is None:
            self._last = start
        done = 0.0

        def advance(amount: float, detail: str = "") -> None:
            nonlocal done
            done += amount
            if done < total and self._due():
                self._line(self._said(label, done / total, time.monotonic() - start, detail))

        return advance

    def _said(self, label: str, share: float, seconds: float, detail: str) -> str:
        """One line of progress where there is no bar."""
        more = f"; {detail}" if detail else ""
        if self._whole is None:
            left = duration(seconds * (1 - share) / share)
            return f"{cut(label, FILE_WIDTH)}: {100 * share:.0f} %, about {left} left{more}"
        whole = self._whole.text(share)
        return f"{whole}; {cut(label, FILE_WIDTH - len(whole))}: {100 * share:.0f} %{more}"

    def _due(self) -> bool:
        """Whether ten seconds have gone since the last line."""
        now = time.monotonic()
        if now - self._last < SECONDS_BETWEEN_LINES:
            return False
        self._last = now
        return True
