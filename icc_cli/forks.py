"""Forks of this process that answer questions: each has all that this process has, at the cost of milliseconds.

They end when they are told to, and when this process ends, however that is. They write no files.
"""

import contextlib
import os
import pickle
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Generic, NoReturn, TypeVar

from icc_cli.errors import IccError

Question = TypeVar("Question")
Answer = TypeVar("Answer")

POSSIBLE = hasattr(os, "fork")
COMPUTES = sys.platform.startswith("linux")
"""Whether a fork may do linear algebra: macOS's does not survive it."""
HINT = "If memory ran out, OMP_NUM_THREADS=1 keeps it in one process."

_life: tuple[int, int] | None = None
"""A pipe whose second end this process alone holds."""


class Ended(IccError):
    """A fork ended before it had answered."""


def ended(code: int) -> str:
    """In words, how a process ended that exited with `code`, negative for a signal."""
    return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"


class Fork(Generic[Question, Answer]):
    """A fork that answers with what `work` gives, or raises. It begins with the first question, and anew after one that
    ended it. Questions, answers and errors must be picklable."""

    def __init__(self, work: Callable[[Question], Answer]) -> None:
        self._work = work
        self._process = 0

    def ask(self, question: Question) -> None:
        """Hand it a question; Ended when it has ended since the last."""
        if not self._process:
            self._begin()
        with self._whole():
            pickle.dump(question, self._asked)
            self._asked.flush()

    def answer(self) -> Answer:
        """What it says to the last question, waited for; raises what `work` raised, Ended when the fork has ended."""
        with self._whole():
            found, error, trace = pickle.load(self._told)
        if error is None:
            return found  # type: ignore[no-any-return]
        error.add_note(trace)
        raise error

    def fileno(self) -> int:
        """Of the pipe that an answer comes by."""
        return self._told.fileno()

    def close(self) -> None:
        """End it, whatever it does."""
        if self._process:
            os.kill(self._process, signal.SIGKILL)
            self._wait()

    def _wait(self) -> int:
        """Its exit code; it has ended, or is about to."""
        _, status = os.waitpid(self._process, 0)
        self._process = 0
        with contextlib.suppress(BrokenPipeError):
            self._asked.close()
        self._told.close()
        return os.waitstatus_to_exitcode(status)

    @contextlib.contextmanager
    def _whole(self) -> Iterator[None]:
        try:
            yield
        except (EOFError, BrokenPipeError, pickle.UnpicklingError) as error:
            raise Ended(f"a process that worked on it {ended(self._wait())}.", HINT) from error

    def _begin(self) -> None:
        asked, ask = os.pipe()
        told, tell = os.pipe()
        child = forked()
        if child == 0:
            _answer(self._work, asked, tell)
        os.close(asked)
        os.close(tell)
        self._process, self._asked, self._told = child, os.fdopen(ask, "wb"), os.fdopen(told, "rb")


def in_forks(
    work: Callable[[Question], Answer], questions: Sequence[Question], forks: int, begin: Sequence[int] | None = None
) -> Iterator[Answer]:
    """What `work` gives for each of `questions`, in their order, from so many forks; raises what it raises, and Ended.

    They are begun in the order of the places in `begin`; answers wait for those before them. With fewer than two forks,
    or where these cannot compute, `work` is done here.
    """
    if forks < 2 or not COMPUTES:
        yield from map(work, questions)
        return
    import selectors

    every = [Fork(work) for _ in range(min(forks, len(questions)))]
    idle = list(every)
    waiting = ((place, questions[place]) for place in begin or range(len(questions)))
    found: dict[int, Answer | Exception] = {}
    try:
        with selectors.DefaultSelector() as busy:
            for following in range(len(questions)):
                while following not in found:
                    while idle and (entry := next(waiting, None)) is not None:
                        idle[-1].ask(entry[1])
                        busy.register(idle[-1], selectors.EVENT_READ, (entry[0], idle.pop()))
                    for key, _ in busy.select():
                        number, fork = key.data
                        busy.unregister(fork)
                        idle.append(fork)
                        found[number] = _answer_or_error(fork)
                answer = found.pop(following)
                if isinstance(answer, Exception):
                    raise answer
                yield answer
    finally:
        for fork in every:
            fork.close()


def _answer_or_error(fork: Fork[Question, Answer]) -> Answer | Exception:
    try:
        return fork.answer()
    except Exception as error:
        return error


def forked() -> int:
    """os.fork, whose child ends with this process; what a stream still holds is written here alone.

    IccError when there may be no more processes.
    """
    global _life
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, OSError, ValueError):  # none, closed, or full
            stream.flush()
    if _life is None:
        _life = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forking beside threads: the fork uses none
        try:
            child = os.fork()
        except OSError as error:
            raise IccError(f"a process cannot be started: {error.strerror or error}.", HINT) from error
    if child == 0:
        watched, held = _life
        os.close(held)
        _life = None
        threading.Thread(target=_end_with_parent, args=(watched,), daemon=True).start()
    return child


def _end_with_parent(watched: int) -> None:
    """Nothing is ever written to `watched`: it is at its end when the parent is gone."""
    os.read(watched, 1)
    os._exit(1)


def _answer(work: Callable[[Any], Any], asked: int, tell: int) -> NoReturn:
    """The life of a fork: answer questions until it is ended."""
    try:
        for number in (signal.SIGINT, signal.SIGTERM):  # who asks decides when this ends
            signal.signal(number, signal.SIG_IGN)
        with os.fdopen(asked, "rb") as questions, os.fdopen(tell, "wb") as answers:
            while True:
                question = pickle.load(questions)
                answer: tuple[Any, Exception | None, str]
                try:
                    answer = work(question), None, ""
                except Exception as error:
                    answer = None, error, f"In the fork:\n{traceback.format_exc()}"
                for stream in (sys.stdout, sys.stderr):
                    with contextlib.suppress(AttributeError, OSError, ValueError):
                        stream.flush()
                pickle.dump(answer, answers)
                answers.flush()
    except BaseException:
        os._exit(1)
