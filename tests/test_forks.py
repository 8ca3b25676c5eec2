"""Work in forks: in order, with its errors, and without a process that is left over."""

import os
import signal
import subprocess
import sys
import time
import traceback
from pathlib import Path

import pytest

from icc_cli import forks
from icc_cli.errors import IccError, UsageError
from icc_cli.forks import Ended, Fork, in_forks

needs_forks = pytest.mark.skipif(not forks.COMPUTES, reason="no forks that compute here")


def gone(process):
    """Whether a process ends within seconds; one that nobody has waited for has ended too."""
    state = Path(f"/proc/{process}/stat")
    for _ in range(200):
        if not state.exists() or state.read_text().rpartition(")")[2].split()[0] == "Z":
            return True
        time.sleep(0.02)
    return False


@pytest.mark.parametrize("number", [0, 1, 2, 3, 20])
def test_answers_come_in_the_order_of_their_questions(number):
    def work(question):
        time.sleep(0.01 * (7 * question % 5))
        return question, os.getpid()

    answers = list(in_forks(work, range(12), number))
    assert [question for question, _ in answers] == list(range(12))
    processes = {process for _, process in answers}
    if number < 2 or not forks.COMPUTES:
        assert processes == {os.getpid()}
    else:
        assert os.getpid() not in processes and 1 < len(processes) <= min(number, 12)
        assert all(gone(process) for process in processes)


@needs_forks
def test_those_to_begin_first_begin_first():
    def work(question):
        began = time.monotonic()
        time.sleep(0.05)
        return question, began

    answers = list(in_forks(work, "abcdef", 2, [5, 0, 4, 1, 3, 2]))
    assert "".join(question for question, _ in answers) == "abcdef"
    began = sorted(range(6), key=lambda place: answers[place][1])
    assert [set(began[start : start + 2]) for start in (0, 2, 4)] == [{5, 0}, {4, 1}, {3, 2}]


@needs_forks
def test_what_is_large_and_what_there_was_before_need_no_pickling():
    held = [lambda: b"x" * 10**7]
    assert [len(answer) for answer in in_forks(lambda _: held[0](), range(4), 2)] == [10**7] * 4


@needs_forks
def test_the_first_error_is_raised_in_its_turn_and_says_where_it_was():
    def work(question):
        if question in (2, 3):
            time.sleep(0.2 * (3 - question))
            raise UsageError(f"no {question}.", "Try 1.")
        return question

    seen = []
    with pytest.raises(UsageError, match="no 2") as raised:
        seen.extend([answer] for answer in in_forks(work, range(9), 2))
    assert raised.value.hint == "Try 1." and seen == [[0], [1]]
    assert "in work" in "".join(traceback.format_exception(raised.value))


@needs_forks
@pytest.mark.parametrize("end", ["was killed by SIGKILL", "ended with code 3"])
def test_one_that_is_killed_or_leaves_is_an_error(end):
    def work(question):
        if question == 1:
            os.kill(os.getpid(), signal.SIGKILL) if "SIGKILL" in end else os._exit(3)
        return question

    with pytest.raises(Ended, match=end):
        list(in_forks(work, range(5), 2))


@needs_forks
def test_a_fork_begins_anew_after_one_that_ended():
    fork = Fork(lambda question: os._exit(5) if question is None else (question, os.getpid()))
    fork.ask(1)
    _, first = fork.answer()
    fork.ask(None)
    with pytest.raises(Ended, match="code 5"):
        fork.answer()
    fork.ask(2)
    answer, second = fork.answer()
    fork.close()
    assert answer == 2 and second != first and gone(first) and gone(second)


@needs_forks
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_busy_ones_end_with_their_process(number):
    code = """
import os, time
from icc_cli.forks import Fork
for _ in range(3):
    fork = Fork(lambda question: time.sleep(60))
    fork.ask(None)
    print(fork._process, flush=True)
time.sleep(60)
"""
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    children = [process.stdout.readline().strip() for _ in range(3)]
    assert all(Path(f"/proc/{child}").exists() for child in children)
    process.send_signal(number)
    process.wait()
    assert all(gone(child) for child in children)
    process.stdout.close()


@needs_forks
def test_what_is_printed_is_printed_once():
    code = """
from icc_cli.forks import in_forks
print("before", end="")
print(list(in_forks(lambda question: print(f"in {question}\\n", end="") or question, range(3), 2)))
"""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.startswith("before") and done.stdout.endswith("[0, 1, 2]\n")
    assert done.stdout.count("before") == 1
    assert sorted(done.stdout.removeprefix("before").splitlines()[:3]) == ["in 0", "in 1", "in 2"]


@needs_forks
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_all_is_for_who_asked(number):
    fork = Fork(lambda question: os.kill(os.getpid(), number) or question)
    fork.ask(3)
    assert fork.answer() == 3
    fork.close()


@needs_forks
def test_a_fork_may_fork():
    def work(question):
        return list(in_forks(lambda other: (question, other, os.getppid()), range(3), 2)), os.getpid()

    for question, (answers, process) in enumerate(in_forks(work, range(4), 2)):
        assert answers == [(question, other, process) for other in range(3)]


@needs_forks
def test_the_fork_of_a_fork_ends_with_it():
    inner = []

    def work(question):
        inner.append(Fork(lambda question: time.sleep(60)))
        inner[-1].ask(None)
        return inner[-1]._process

    fork = Fork(work)
    fork.ask(None)
    process = fork.answer()
    assert Path(f"/proc/{process}").exists()
    fork.close()
    assert gone(process)


@needs_forks
def test_no_more_processes(monkeypatch):
    def refuse():
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(os, "fork", refuse)
    with pytest.raises(IccError, match="cannot be started: Resource temporarily unavailable"):
        list(in_forks(lambda question: question, range(3), 2))
