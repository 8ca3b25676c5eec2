"""HDF5 files that nobody vouches for.

On some damaged files HDF5 goes round in circles, in C, where neither a signal nor a time limit of Python reaches it. So
such a file is read in a fork, which the system ends: what it holds (`read`), or whether that comes to an end (`ends`).
"""

import contextlib
import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from icc_cli import forks
from icc_cli.forks import Fork

Result = TypeVar("Result")

CPU_SECONDS = 2
"""Of an honest file the structure is read in milliseconds of processor, however slow the disk."""
LARGE = 64 * 2**20
"""Bytes of a file after which a fork is not kept: it holds all that it once needed, and another is soon made."""
_ended: dict[tuple[str, Path, int, int, int], bool] = {}
_kept: "Fork[tuple[Callable[..., Any], tuple[Any, ...]], Any] | None" = None


class Endless(Exception):
    """What was read in a fork did not come to an end, or ended the fork."""


def read(work: Callable[..., Result], path: Path, *arguments: Any) -> Result:
    """What `work`, a function of a module, gives of `path` and `arguments`, in a fork. All must be picklable.

    Raises what it raises, and Endless when it takes more than CPU_SECONDS of the processor, or crashes.
    """
    if not forks.POSSIBLE:
        return work(path, *arguments)
    with contextlib.nullcontext() if _kept else one_fork():
        assert _kept is not None
        try:
            _kept.ask((work, (path, *arguments)))
            return _kept.answer()  # type: ignore[no-any-return]
        except forks.Ended as error:
            raise Endless from error
        finally:
            with contextlib.suppress(OSError):
                if path.stat().st_size >= LARGE:
                    _kept.close()


@contextlib.contextmanager
def one_fork() -> Iterator[None]:
    """`read` one file after another in the same fork, within the block: each of its own takes milliseconds."""
    global _kept
    before, _kept = _kept, Fork(_within_limit)
    try:
        yield
    finally:
        _kept.close()
        _kept = before


def _within_limit(question: tuple[Callable[..., Result], tuple[Any, ...]]) -> Result:
    work, arguments = question
    _confine()
    return work(*arguments)


def _confine() -> None:
    """Leave this fork CPU_SECONDS of the processor, or what the user's own limit leaves, and no streams: a crash, too,
    has something to say."""
    import resource

    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(nowhere, stream)
    os.close(nowhere)
    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = int(used.ru_utime + used.ru_stime) + 1 + CPU_SECONDS
    _, most = resource.getrlimit(resource.RLIMIT_CPU)
    seconds = seconds if most == resource.RLIM_INFINITY else min(seconds, most)
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, most))


def ends(path: Path, what: str, read: Callable[[Any], object]) -> bool:
    """Whether `read` of the h5py.File at `path` comes to an end, with whatever result or error.

    `what` names what is read: of a file that has not changed since, the same is not tried again.
    """
    try:
        found = path.stat()
    except OSError:
        return True
    state = (what, path.absolute(), found.st_ino, found.st_size, found.st_mtime_ns)
    if state not in _ended:
        _ended[state] = not forks.POSSIBLE or _ends_in_a_fork(path, read)
    return _ended[state]


def _ends_in_a_fork(path: Path, read: Callable[[Any], object]) -> bool:
    from h5py import File  # here, so that no fork has to

    fork = Fork(partial(_try, File, read))
    try:
        fork.ask(path)
        fork.answer()
    except forks.Ended:
        return False
    finally:
        fork.close()
    return True


def _try(opened: Callable[..., Any], read: Callable[[Any], object], path: Path) -> None:
    _confine()
    with contextlib.suppress(Exception), opened(path, "r") as file:
        read(file)
