"""`icc train` as it is typed: what it prints, and what a kill leaves behind."""

import os
import signal
import subprocess
import sys

import torch

from tests.conftest import ROOT

GRID = """
[data]
spec = "digits"
per_class = 4
[model]
spec = "vgg"
base_width = 2
[training]
epochs = 3
drops = [2]
shift = 1
[grid]
lr = [0.01, 0.02, 0.05, 0.1]
"""


def command(*more):
    return [sys.executable, "-m", "icc_cli", "train", "--grid", "grid.toml", "-o", "ckpts", *more]


def test_kill_and_run_again(tmp_path):
    (tmp_path / "grid.toml").write_text(GRID)
    long = ["--jobs", "2", "--epochs", "12"]
    process = subprocess.Popen(command(*long), cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    first = process.stdout.readline().strip()
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    before = (tmp_path / first).stat().st_mtime_ns
    for path in (tmp_path / "ckpts").glob("*.pt"):
        torch.load(path, weights_only=True)
    again = subprocess.run(command(*long), cwd=tmp_path, capture_output=True, text=True, check=True)
    printed = again.stdout.split()
    there = [str(path.relative_to(tmp_path)) for path in (tmp_path / "ckpts").glob("*.pt")]
    assert len(printed) == 4 and sorted(printed) == sorted(there)
    assert (tmp_path / first).stat().st_mtime_ns == before
    assert "up to date" in again.stderr
    other = subprocess.run(command("--epochs", "5"), cwd=tmp_path, capture_output=True, text=True)
    assert other.returncode == 2 and "--force" in other.stderr and not other.stdout


def test_list_trains_nothing(tmp_path):
    (tmp_path / "grid.toml").write_text(GRID)
    listed = subprocess.run(command("--list"), cwd=tmp_path, capture_output=True, text=True, check=True)
    assert len(listed.stdout.splitlines()) == 4 and not (tmp_path / "ckpts").exists()


def test_workers_that_die_at_their_start_end_the_command(tmp_path):
    (tmp_path / "grid.toml").write_text(GRID)
    (tmp_path / "sitecustomize.py").write_text(
        "import os, sys\nif 'spawn_main' in ' '.join(sys.orig_argv): os._exit(9)\n"
    )
    done = subprocess.run(
        command("--jobs", "2"), cwd=tmp_path, capture_output=True, text=True, timeout=200,
        env={**os.environ, "PYTHONPATH": f"{tmp_path}:{ROOT}"},
    )  # fmt: skip
    assert done.returncode == 1 and "ended with code 9 at its start" in done.stderr
    assert "Traceback" not in done.stderr and not done.stdout
