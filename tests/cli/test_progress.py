"""Progress: the whole folder, the time that is left of it, and names that fit the line."""

import fcntl
import io
import os
import re
import struct
import subprocess
import sys
import termios

import pytest

from icc_cli.cli import _report
from icc_cli.cli._inputs import Input, expand
from icc_cli.cli._progress import Whole, cut, duration
from icc_cli.cli._report import Reporter
from icc_cli.cli._run import each
from tests.conftest import ROOT


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def test_the_time_left_is_at_the_pace_of_the_last_ones():
    clock = Clock()
    whole = Whole(200, clock)
    assert whole.text() == "0 of 200"
    for _ in range(100):
        clock.now += 0.001  # kept from an earlier run
        whole.step()
    for _ in range(20):
        clock.now += 30
        whole.step()
    assert whole.seconds_left() == pytest.approx(80 * 30)
    assert whole.text() == "120 of 200, about 40 min left"


def test_the_input_in_hand_counts_as_far_as_it_is_done():
    clock = Clock()
    whole = Whole(4, clock)
    clock.now += 10
    assert whole.seconds_left(0.5) == pytest.approx(3.5 * 20)
    whole.step()
    assert whole.seconds_left() == pytest.approx(30)
    clock.now += 10
    assert whole.seconds_left(0.25) == pytest.approx(2.75 * 40), "slower than the one before"
    assert Whole(None, clock).text() == "0 done" and Whole(None, clock).seconds_left(0.5) is None


@pytest.mark.parametrize(
    ("seconds", "text"), [(3, "3 s"), (89, "89 s"), (120, "2 min"), (2400, "40 min"), (9000, "2.5 h")]
)
def test_durations(seconds, text):
    assert duration(seconds) == text


def test_names_are_cut_in_the_middle():
    name = "drop0-w1-d1-lr0.1-bs10-wd0-optimizersgd-augfalse.pt"
    for width in range(5, 60):
        short = cut(name, width)
        assert len(short) == min(width, len(name))
        if width < len(name):
            head, tail = short.split("…")
            assert name.startswith(head) and name.endswith(tail) and abs(len(head) - len(tail)) <= 1


@pytest.fixture
def hurried(monkeypatch):
    """Progress that is due at once."""
    monkeypatch.setattr(_report, "SECONDS_BETWEEN_LINES", 0.0)


def test_every_input_says_how_many_are_done(tmp_path, capsys, hurried):
    for i in range(3):
        (tmp_path / f"{i}.h5").touch()
    report = Reporter()

    def work(item: Input) -> str:
        with report.progress("a" * 150 + item.path.name, 10) as advance:
            advance(4, "layer 1")
        return item.path.name

    each(expand([str(tmp_path)], (".h5",)), work, report)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 5, "two in each of the first, and none after the last"
    assert re.fullmatch(r"icc: 0 of 3, about \d+ s left; a+…a+0\.h5: 40 %; layer 1", lines[0])
    assert re.fullmatch(r"icc: 1 of 3, about \d+ s left", lines[1])
    assert lines[4].startswith("icc: 2 of 3, about ") and "2.h5: 40 %" in lines[4]
    assert all(len(line) < 125 for line in lines)
    each(expand([str(tmp_path / "0.h5")], (".h5",)), work, report)
    assert re.fullmatch(r"icc: a+…a+0\.h5: 40 %, about \d+ s left; layer 1\n", capsys.readouterr().err), "one input"
    each(expand([str(tmp_path)], (".h5",)), lambda item: "", Reporter(quiet=True))
    assert capsys.readouterr().err == ""


def test_inputs_from_a_pipe_are_counted_without_a_total(tmp_path, capsys, hurried, monkeypatch):
    (tmp_path / "0.h5").touch()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(f"{tmp_path / '0.h5'}\n".encode())))
    each(expand(["-"], (".h5",)), lambda item: "", Reporter())
    assert capsys.readouterr().err == "icc: 1 done\n"


PTY = """
import sys, time
from icc_cli.cli._report import Reporter
report = Reporter()
report.begin(int(sys.argv[1]))
with report.progress("[b]drop0-w1-d1-lr0.1-bs10-wd0-optimizersgd-augfalse.pt", 10) as advance:
    for _ in range(9):
        advance(1, "stages.1.0.relu")
        time.sleep(0.05)
"""


@pytest.mark.parametrize(("columns", "inputs"), [(60, 200), (100, 200), (60, 1), (100, 1)])
def test_a_bar_fits_the_terminal_whatever_the_names(columns, inputs):
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name != "COLUMNS"} | {"TERM": "xterm"}
    done = subprocess.run(
        [sys.executable, "-c", PTY, str(inputs)], stderr=theirs, env=environment | {"PYTHONPATH": str(ROOT)}, timeout=60
    )
    assert done.returncode == 0
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", os.read(ours, 1 << 20).decode()).replace("\r", "\n").split("\n")
    bars = [line.rstrip() for line in shown if "%" in line]
    assert bars and all(len(line) <= columns for line in bars)
    last = bars[-1]
    assert (
        ("0 of 200, about " in last) == (inputs > 1)
        and "[b]" in last
        and "…" in last
        and "90%" in last.replace(" ", "")
    )
