"""Damaged HDF5 on which HDF5 itself never ends, in C: refused within seconds, wherever a file is read."""

import contextlib
import os
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest
from typer.testing import CliRunner

from icc_cli import hdf5
from icc_cli.cli import app
from icc_cli.errors import FormatError

FILES = sorted((Path(__file__).parent / "hostile").glob("circle-*.h5"))
COMMANDS = {
    "measure": lambda path, out: ["measure", path, "-o", out],
    "inspect": lambda path, out: ["inspect", path],
    "neurons": lambda path, out: ["plot", "neurons", path, "-o", f"{out}/a.png"],
    "data": lambda path, out: ["train", "--preset", "smoke", "--data", f"h5:{path}", "-o", out],
}


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_file_without_an_end_is_refused(path, name, tmp_path, monkeypatch):
    monkeypatch.setattr(hdf5, "CPU_SECONDS", 1)
    hdf5._ended.clear()
    start = time.process_time() + os.times().children_user
    done = CliRunner().invoke(app, [str(argument) for argument in COMMANDS[name](path, tmp_path / "out")])
    assert done.exit_code in (2, 4) and path.name in done.stderr and "Traceback" not in done.stderr
    assert time.process_time() + os.times().children_user - start < 10


def test_beside_others_they_stop_nothing(tmp_path):
    whole = Path(__file__).parent / "v2.h5"
    done = CliRunner().invoke(app, ["measure", *map(str, FILES), str(whole), "-o", str(tmp_path)])
    assert done.exit_code == 1 and [path.name for path in tmp_path.iterdir()] == ["v2.measure.json"]
    assert done.stderr.count("HDF5 crashes or hangs") == len(FILES) == 2


def where(path):
    return os.getpid()


def refuse(path, text):
    raise FormatError(text)


def spin(path):
    while True:
        pass


def leave(path, code=0):
    os._exit(code)


@pytest.mark.parametrize("apart", [True, False])
def test_what_is_read_in_a_fork(apart, monkeypatch):
    monkeypatch.setattr(hdf5, "CPU_SECONDS", 1)
    with contextlib.nullcontext() if apart else hdf5.one_fork():
        here = Path(__file__)
        first, second = hdf5.read(where, here), hdf5.read(where, here)
        assert os.getpid() not in (first, second) and (first == second) is not apart
        with pytest.raises(FormatError, match="so it is"):
            hdf5.read(refuse, here, "so it is")
        for ending in (spin, leave, partial(leave, code=3)):
            with pytest.raises(hdf5.Endless):
                hdf5.read(ending, here)
            assert hdf5.read(where, here) != second
    for fork in (first, second):
        assert not Path(f"/proc/{fork}").exists()


def test_after_a_large_file_a_fork_is_not_kept(tmp_path):
    small, large = tmp_path / "small", tmp_path / "large"
    small.touch()
    with large.open("wb") as file:
        file.truncate(hdf5.LARGE)
    with hdf5.one_fork():
        fork = hdf5.read(where, small)
        assert hdf5.read(where, large) == fork
        assert not Path(f"/proc/{fork}").exists()
        assert hdf5.read(where, small) != fork


def test_what_a_crash_says_is_not_heard(tmp_path, capfd):
    path = tmp_path / "a.h5"
    path.write_bytes((Path(__file__).parent / "v2.h5").read_bytes())
    with pytest.raises(hdf5.Endless):
        hdf5.read(complain, path)
    assert not hdf5.ends(path, "one", lambda file: complain())
    assert capfd.readouterr() == ("", "")


def complain(path=None):
    os.write(1, b"free(): ")
    os.write(2, b"invalid pointer")
    os._exit(134)


def test_a_fork_ends_with_its_process():
    code = """
import os, time
from pathlib import Path
from icc_cli import hdf5
with hdf5.one_fork():
    print(hdf5.read(os.readlink, Path("/proc/self")), flush=True)
    time.sleep(60)
"""
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    fork = Path("/proc", process.stdout.readline().strip())
    assert fork.exists()
    process.kill()
    process.wait()
    for _ in range(100):
        if not fork.exists():
            return
        time.sleep(0.05)
    raise AssertionError("it goes on")


def test_a_crash_is_no_end_and_what_changed_is_tried_again(tmp_path):
    path = tmp_path / "a.h5"
    path.write_bytes((Path(__file__).parent / "v2.h5").read_bytes())
    assert not hdf5.ends(path, "one", lambda file: os._exit(1))
    assert not hdf5.ends(path, "one", lambda file: None)  # remembered
    assert hdf5.ends(path, "other", lambda file: None)
    os.utime(path, (1, 1))
    assert hdf5.ends(path, "one", lambda file: 1 / 0)
    assert hdf5.ends(tmp_path / "not there", "one", lambda file: os._exit(1))
