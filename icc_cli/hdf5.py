"""HDF5 files that nobody vouches for.

On some damaged files HDF5 goes round in circles, in C, where neither a signal nor a time limit of Python reaches it. So
such a file is read in a fork, which the system ends: what it holds (`read`), or whether that comes to an end (`ends`).
"""

import contextlib
import os
import pickle
import signal
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn, TypeVar

Result = TypeVar("Result")

CPU_SECONDS = 2
"""Of an honest file the structure is read in milliseconds of processor, however slow the disk."""
_ended: dict[tuple[str, Path, int, int, int], bool] = {}


class Endless(Exception):
    """What was read in a fork did not come to an end, or ended the fork."""


def read(work: Callable[..., Result], *arguments: Any) -> Result:
    """What `work`, a function of a module, gives of `arguments`, in a fork. All of these must be picklable.

    Raises what it raises, and Endless when it takes more than CPU_SECONDS of the processor, or crashes.
    """
    if not hasattr(os, "fork"):
        return work(*arguments)
    if _Fork.kept is not None:
        return _Fork.kept.read(work, arguments)
    fork = _Fork()
    try:
        return fork.read(work, arguments)
    finally:
        fork.close()


@contextlib.contextmanager
def one_fork() -> Iterator[None]:
    """`read` one file after another in the same fork, within the block: each of its own takes milliseconds."""
    before, _Fork.kept = _Fork.kept, _Fork()
    try:
        yield
    finally:
        _Fork.kept.close()
        _Fork.kept = before


class _Fork:
    """A fork of this process that reads what it is asked to; it begins with the first question, and anew after one that
    ended it."""

    kept: "_Fork | None" = None

    def __init__(self) -> None:
        self._process = 0

    def read(self, work: Callable[..., Result], arguments: tuple[Any, ...]) -> Result:
        if not self._process:
            self._begin()
        try:
            pickle.dump((work, arguments), self._asked)
            self._asked.flush()
            done, found = pickle.load(self._told)
        except (EOFError, BrokenPipeError, pickle.UnpicklingError) as error:
            self.close()
            raise Endless from error
        if done:
            return found  # type: ignore[no-any-return]
        raise found

    def _begin(self) -> None:
        asked, ask = os.pipe()
        told, tell = os.pipe()
        child = _forked()
        if child == 0:
            os.close(ask)
            os.close(told)
            _answer(asked, tell)
        os.close(asked)
        os.close(tell)
        self._process, self._asked, self._told = child, os.fdopen(ask, "wb"), os.fdopen(told, "rb")

    def close(self) -> None:
        if self._process:
            with contextlib.suppress(BrokenPipeError):
                self._asked.close()
            self._told.close()
            os.waitpid(self._process, 0)
            self._process = 0


def _answer(asked: int, tell: int) -> NoReturn:
    """Answer questions until there are no more."""
    import resource

    try:
        for number in (signal.SIGINT, signal.SIGTERM):  # who asks decides when this ends
            signal.signal(number, signal.SIG_IGN)
        nowhere = os.open(os.devnull, os.O_RDWR)
        for stream in range(3):
            os.dup2(nowhere, stream)
        with os.fdopen(asked, "rb") as questions, os.fdopen(tell, "wb") as answers:
            while True:
                work, arguments = pickle.load(questions)
                used = resource.getrusage(resource.RUSAGE_SELF)
                seconds = int(used.ru_utime + used.ru_stime) + 1 + CPU_SECONDS
                _, most = resource.getrlimit(resource.RLIMIT_CPU)
                seconds = seconds if most == resource.RLIM_INFINITY else min(seconds, most)
                resource.setrlimit(resource.RLIMIT_CPU, (seconds, most))
                try:
                    answer = True, work(*arguments)
                except Exception as error:
                    answer = False, error
                pickle.dump(answer, answers)
                answers.flush()
    except BaseException:
        os._exit(0)


def _forked() -> int:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forking beside threads: the fork uses none
        return os.fork()


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
        _ended[state] = not hasattr(os, "fork") or _ends_in_a_fork(path, read)
    return _ended[state]


def _ends_in_a_fork(path: Path, read: Callable[[Any], object]) -> bool:
    import resource

    import h5py

    child = _forked()
    if child == 0:
        resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
        with contextlib.suppress(BaseException), h5py.File(path, "r") as file:
            read(file)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
