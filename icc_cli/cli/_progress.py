"""How far a run is: the inputs done, and the time that the others take at the pace of the last ones."""

import time
from collections import deque
from collections.abc import Callable

LAST = 20
"""Inputs whose pace counts: those before may have been kept from an earlier run, which takes no time."""
FILE_WIDTH = 100
"""Of a line that goes to no terminal."""
CUT = "…"


class Whole:
    """The inputs of one run: `total` of them, None where they come as they come."""

    def __init__(self, total: int | None, clock: Callable[[], float] = time.monotonic) -> None:
        self.total = total
        self.done = 0
        self._clock = clock
        self._ends = deque([clock()], maxlen=LAST + 1)

    def step(self) -> None:
        """One more is done."""
        self.done += 1
        self._ends.append(self._clock())

    def seconds_left(self, share: float = 0.0) -> float | None:
        """Of the run, `share` of the input in hand being done; None before anything is, or without a total."""
        if self.total is None:
            return None
        inputs = len(self._ends) - 1
        pace = (self._ends[-1] - self._ends[0]) / inputs if inputs else 0.0
        in_hand = (self._clock() - self._ends[-1]) / share if share > 0 else 0.0
        if not inputs and not share:
            return None
        return max(pace, in_hand) * (self.total - self.done - share)

    def text(self, share: float = 0.0) -> str:
        """`17 of 200, about 40 min left`."""
        if self.total is None:
            return f"{self.done} done"
        left = self.seconds_left(share)
        return f"{self.done} of {self.total}" + (f", about {duration(left)} left" if left is not None else "")


def duration(seconds: float) -> str:
    """`45 s`, `40 min`, `2.5 h`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def cut(text: str, width: int) -> str:
    """`text` in at most `width` characters, its middle left out: names differ at their ends."""
    if len(text) <= width:
        return text
    kept = max(2, width - len(CUT))
    return text[: kept - kept // 2] + CUT + text[len(text) - kept // 2 :]
