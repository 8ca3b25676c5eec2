"""What SIGINT and SIGTERM do: while nothing is under way, in a command, and in one task of many."""

import os
import signal
from collections.abc import Callable
from typing import Any, NoReturn

_stopping = False


class Terminated(BaseException):
    """SIGTERM arrived: unwind, so that temporary files are removed, and exit with 143."""


def leave_at_once() -> None:
    """On SIGINT or SIGTERM end at once, with 130 or 143: before anything is begun, and when all is done."""
    for number in (signal.SIGINT, signal.SIGTERM):
        _set(number, lambda signum, frame: os._exit(128 + signum))


def unwind() -> None:
    """On SIGINT raise KeyboardInterrupt, on SIGTERM Terminated, in the main thread."""

    def terminate(signum: int, frame: object) -> NoReturn:
        global _stopping
        _stopping = True  # what is raised inside a destructor is lost
        raise Terminated

    _set(signal.SIGINT, signal.default_int_handler)
    _set(signal.SIGTERM, terminate)


def finish(tell: Callable[[], None]) -> None:
    """On SIGTERM call `tell`, once, finish the input in hand, then stop with 143: for one shard of a longer list."""

    def handler(signum: int, frame: object) -> None:
        global _stopping
        if not _stopping:
            tell()
        _stopping = True

    _set(signal.SIGTERM, handler)


def stopping() -> bool:
    """Whether SIGTERM has asked this run to begin nothing more."""
    return _stopping


def _set(number: int, handler: Callable[[int, Any], object]) -> None:
    """Set a handler, but where whoever started this process wants the signal ignored (a shell's `&`, nohup)."""
    if number == signal.SIGTERM or signal.getsignal(number) is not signal.SIG_IGN:
        signal.signal(number, handler)
