"""`icc measure` whose sites are measured in forks: what a signal to it, or the death of a fork, leaves behind."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from icc_cli import forks
from icc_cli.cache import Rows, SiteInfo, new_cache
from icc_cli.measures.network import WORTH_FORKS
from tests.cli.test_edges import ENVIRONMENT
from tests.test_forks import gone

pytestmark = pytest.mark.skipif(not forks.COMPUTES, reason="no forks that compute here")
SLOW = """
import os, pathlib, time
from icc_cli import Measure

def slow(view):
    pathlib.Path(f"{view.name}.{os.getpid()}").touch()
    time.sleep(60 if view.name == "site 0" else 0)
    return 1.0

SLOW = Measure("slow", slow, over="sites", groups="none")
"""


@pytest.fixture
def begun(tmp_path):
    """The command in the midst of it, and a fork that measures the first site; what it is asked for takes a minute."""
    (tmp_path / "slow.py").write_text(SLOW)
    count, width = 2000, WORTH_FORKS // 4000 + 1
    values = np.random.default_rng(0).standard_normal((count, width), np.float32)
    with new_cache(tmp_path / "a.h5", "float32") as writer:
        sites = [SiteInfo(f"site {number}", "map", width, 1) for number in range(3)]
        writer.create(Rows(np.arange(count), np.arange(count) // 200, None), sites)
        writer.write(0, [values] * 3)
        facts = {"checkpoint": "a.pt", "weights_sha256": "0" * 64, "hparams": {}, "metrics": {}}
        writer.finish(np.zeros(count, np.int64), facts, "key")
    command = [sys.executable, "-m", "icc_cli", "measure", "--measure", "slow.py:SLOW", "a.h5", "-o", "out"]
    process = subprocess.Popen(
        command, cwd=tmp_path, env={**ENVIRONMENT, "OMP_NUM_THREADS": "2"}, stderr=subprocess.PIPE, text=True
    )
    for _ in range(1500):
        if found := list(tmp_path.glob("site 0.*")):
            break
        time.sleep(0.02)
    else:
        process.kill()
        raise AssertionError(process.stderr.read())
    yield process, int(found[0].suffix[1:]), tmp_path
    process.kill()
    process.wait()
    process.stderr.close()


def test_a_fork_that_is_killed_is_an_error_and_nothing_is_written(begun):
    process, fork, folder = begun
    os.kill(fork, signal.SIGKILL)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 1 and "a.h5" in said and "was killed by SIGKILL" in said, said
    assert "Traceback" not in said and not list(folder.glob("out/*"))


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)])
def test_a_signal_ends_it_and_its_forks(begun, number, code):
    process, fork, folder = begun
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == code and "Traceback" not in said, said
    assert gone(fork) and not list(folder.glob("out/*"))
