"""Processes of one machine: a GPU each, order, messages, deaths."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from icc_cli import files, pool
from icc_cli.errors import IccError, UsageError

ROOT = Path(__file__).parent.parent  # not conftest's, which would import torch in every process


def visible(item, tell):
    time.sleep(0.2)
    return os.environ["CUDA_VISIBLE_DEVICES"]


def test_each_process_sees_one_of_several_gpus(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,7")
    found = dict(pool.in_processes(range(8), visible, 2))
    assert sorted(found) == list(range(8))
    assert set(found.values()) == {"4", "7"}
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    assert set(dict(pool.in_processes(range(3), visible, 2)).values()) == {"3"}


def slow_first(item, tell):
    tell(("begun", item))
    time.sleep(1.5 if item == 0 else 0)
    if item == 3:
        raise UsageError("three is wrong")
    return os.getpid()


@pytest.mark.parametrize("ordered", [True, False])
def test_order_messages_and_errors(ordered):
    messages = []
    found = list(
        pool.in_processes(range(5), slow_first, 2, ordered=ordered, told=lambda *message: messages.append(message))
    )
    items = [item for item, _ in found]
    assert items == list(range(5)) if ordered else items[-1] == 0 and sorted(items) == list(range(5))
    assert sorted(messages) == [(item, ("begun", item)) for item in range(5)]
    outcomes = dict(found)
    assert isinstance(outcomes[3], UsageError) and str(outcomes[3]) == "three is wrong"
    assert len({outcomes[item] for item in (0, 1, 2, 4)}) == 2, "two processes, none of them new"


def dies(item, tell):
    if item == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    if item == 2:
        raise ZeroDivisionError
    return item


def test_a_killed_process_fails_its_item_and_another_takes_its_place(capfd):
    found = dict(pool.in_processes(range(5), dies, 2))
    assert [found[item] for item in (0, 3, 4)] == [0, 3, 4]
    assert isinstance(found[1], pool.ProcessEnded) and "SIGKILL" in found[1].message
    assert isinstance(found[2], pool.ProcessEnded) and "code 1" in found[2].message
    assert "ZeroDivisionError" in capfd.readouterr().err


def dies_writing(item, tell):
    with files.atomic_path(item) as temporary:
        temporary.write_text("half")
        os.kill(os.getpid(), signal.SIGKILL)


def test_a_process_that_is_killed_while_it_writes_leaves_no_temporary_file(tmp_path):
    found = dict(pool.in_processes([tmp_path / "a", tmp_path / "b"], dies_writing, 2))
    assert all("SIGKILL" in outcome.message for outcome in found.values())
    assert not list(tmp_path.iterdir())


def test_thousands_of_arguments_do_not_keep_a_process_from_being_missed(monkeypatch):
    """They go along with its start, into a pipe that is full when it dies before it has read them."""
    monkeypatch.setattr(sys, "argv", ["icc", *["a" * 100] * 10_000])
    test_processes_that_die_at_their_start_end_the_run()
    assert len(sys.argv) == 10_001


class DiesAtItsStart:
    """Large, so that it fills the pipe to a process that does not read."""

    def __init__(self):
        self.ballast = bytes(10_000_000)

    def __call__(self, item, tell):
        raise AssertionError

    def __setstate__(self, state):
        os._exit(7)


def test_processes_that_die_at_their_start_end_the_run():
    started = time.monotonic()
    with pytest.raises(IccError, match="ended with code 7 at its start"):
        list(pool.in_processes(range(5), DiesAtItsStart(), 2))
    assert time.monotonic() - started < 60
    assert not multiprocessing.active_children()


def test_nothing_more_is_begun_once_it_is_told_to_stop():
    begun = []
    found = list(
        pool.in_processes(
            iter(range(100)), slow_first, 2, stopping=lambda: len(begun) > 3, told=lambda *what: begun.append(what)
        )
    )
    assert len(begun) - 2 <= len(found) <= len(begun) < 10


ABANDONED = """
import pathlib, sys, time
from icc_cli import files, pool

def work(item, tell):
    path = pathlib.Path(f"{item}.tmp")
    path.write_text("half")
    try:
        tell("ready")
        time.sleep(60)
    finally:
        time.sleep(.3)
        path.unlink()

def told(item, message):
    raise KeyboardInterrupt

if __name__ == "__main__":
    try:
        list(pool.in_processes(range(3), work, 3, told=told))
    except KeyboardInterrupt:
        print("stopped")
"""


def test_work_that_is_given_up_removes_its_temporary_files(tmp_path):
    (tmp_path / "abandoned.py").write_text(ABANDONED)
    done = subprocess.run(
        [sys.executable, "abandoned.py"], cwd=tmp_path, capture_output=True, text=True, timeout=120,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "stopped\n", "")
    assert [path.name for path in tmp_path.iterdir()] == ["abandoned.py"]
