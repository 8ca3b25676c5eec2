"""A few of what `make faults` tries by the thousand."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults import calls, runner

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.parametrize(
    ("arguments", "least"),
    [("--quick", 100), ("--only fields --tries 40", 40), ("--only sizes", 16)],
    ids=["a few of each kind", "fields", "sizes"],
)
def test_what_is_tried_holds(arguments, least):
    # In a process of its own: one that has trained a network cannot fork one that trains.
    command = [sys.executable, "-m", "tests.faults", *arguments.split(), "--jobs", "1"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:] + done.stdout
    *_, last = done.stdout.splitlines()
    _, kind, _, tried, held, failed, _ = (cell.strip() for cell in last.split("|"))
    assert kind == "all" and int(tried) == int(held) >= least and failed == "0"


class Bad:
    """What must be found out: a crash, a lie, a mistake in the try itself, and in between what holds."""

    NAME = "bad"
    __name__ = "tests.bad"
    TOGETHER = 3

    @staticmethod
    def tries(folder):
        def wrong():
            assert 1 == 2, "one is two"

        yield "a: holds", lambda: None
        yield "a: crashes", lambda: calls.os._exit(9)
        yield "b: holds", lambda: Path("x").touch()
        yield "b: is wrong", wrong
        yield "b: has a mistake", lambda: {}["key"]
        yield "b: is in an empty folder", lambda: Path("x").touch(exist_ok=False)


@pytest.mark.parametrize("jobs", [1, 2])
def test_what_fails_is_counted_and_what_follows_is_tried(jobs, tmp_path):
    found = runner.run(Bad(), None, jobs, tmp_path)
    assert {group: count.tried for group, count in found.items()} == {"a": 2, "b": 4}
    failed = dict(one for count in found.values() for one in count.failed)
    assert sorted(failed) == ["a: crashes", "b: has a mistake", "b: is wrong"]
    assert "ended with 9" in failed["a: crashes"] and failed["b: is wrong"].startswith("one is two")
    assert "KeyError" in failed["b: has a mistake"]
    assert runner.table({"bad": found}).splitlines()[-1] == "| all |  | 6 | 3 | 3 |"


def test_what_hangs_is_ended(tmp_path, monkeypatch):
    monkeypatch.setattr(runner, "CPU_SECONDS", 0.3)

    def endless():
        while True:
            pass

    monkeypatch.chdir(tmp_path)
    assert list(runner.attempts([("endless", endless), ("next", lambda: None)])) == [("endless", "hangs"), ("next", "")]
