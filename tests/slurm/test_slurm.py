"""The chain on a real Slurm of two nodes, and all that can go wrong there."""

import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest

from icc_cli.cache import Rows, SiteInfo, new_cache
from tests.conftest import icc

pytestmark = pytest.mark.slurm
CLUSTER = Path(__file__).parent / "cluster"
CACHES, ROWS, NEURONS = 16, 3000, 400


def cluster(action, folder, *more):
    return subprocess.run([CLUSTER, action, folder, *more], capture_output=True, text=True, timeout=120)


@pytest.fixture(scope="module")
def slurm(tmp_path_factory):
    """A running cluster; SLURM_CONF names its configuration."""
    path = os.environ["PATH"] + ":/usr/sbin:/sbin"
    if missing := [name for name in ("munged", "slurmctld", "slurmd", "sbatch") if not shutil.which(name, path=path)]:
        pytest.skip(f"NO SLURM HERE: {', '.join(missing)} missing; apt-get install slurm-wlm munge, and run again")
    folder = tmp_path_factory.mktemp("slurm")
    worker = re.sub(r"\D", "", os.environ.get("PYTEST_XDIST_WORKER", "")) or "0"
    os.environ["ICC_SLURM_PORT"] = str(17100 + 10 * int(worker))
    os.environ["SLURM_CONF"] = str(folder / "slurm.conf")
    started = cluster("start", folder)
    try:
        assert started.returncode == 0, started.stderr
        yield folder
    finally:
        cluster("stop", folder)
        del os.environ["SLURM_CONF"]


@pytest.fixture(scope="module")
def big(tmp_path_factory):
    """Caches that take a fraction of a second each, and the records of the serial run."""
    folder = tmp_path_factory.mktemp("big")
    labels = np.arange(ROWS) % 12
    order = np.argsort(labels, kind="stable")
    for i in range(CACHES):
        values = np.random.default_rng(i).normal(size=(ROWS, NEURONS)).astype(np.float32)
        with new_cache(folder / "acts" / f"{i:02}.h5", "float32") as writer:
            sites = [SiteInfo("relu", "dense", NEURONS, 1)]
            writer.create(Rows(order, labels[order] // 3, labels[order] % 3), sites)
            writer.write(0, [values])
            head = {"checkpoint": f"{i:02}.pt", "weights_sha256": f"{i:064}", "hparams": {}, "metrics": {}}
            writer.finish(np.zeros(ROWS, np.int64), head, f"key-{i}")
    done = icc("measure", folder / "acts", "-o", folder / "serial", "-q")
    assert done.returncode == 0, done.stderr
    return folder


def submit(big, out, *options, tasks=2):
    done = icc("submit", "--array", tasks, *options, "--", "measure", big / "acts", "-o", out, cwd=big)
    return done


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if not path.name.startswith(".")}


def until(condition, seconds=90):
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.05)
    return found


def queued(job):
    return subprocess.run(["squeue", "-h", "-r", "-j", job], capture_output=True, text=True).stdout.split("\n")[:-1]


def processes(text, variable=""):
    """The ids of the processes whose command line holds `text`, and whose environment holds `variable`."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if (
                text.encode() in (entry / "cmdline").read_bytes()
                and variable.encode() in (entry / "environ").read_bytes()
            ):
                found.append(int(entry.name))
        except (OSError, ValueError):
            continue
    return found


def only_what_is_missing(big, out):
    """Submit again: nothing that is there is damaged or written again, and nothing is missing afterwards."""
    serial = contents(big / "serial")
    there = {name: (out / name).stat().st_mtime_ns for name in contents(out)}
    assert all(contents(out)[name] == serial[name] for name in there)
    done = submit(big, out, "--wait")
    assert done.returncode == 0, done.stderr
    assert contents(out) == serial
    assert {name: (out / name).stat().st_mtime_ns for name in there} == there
    return there


@pytest.mark.long
def test_dependent_arrays_give_what_the_serial_run_gives(slurm, checkpoints, caches, tmp_path):
    ids = []
    sharpness = ("sharpness", checkpoints, "--mode", "random", "--target", "drop:0.1", "--tolerance", "0.2")
    chain = (("extract", checkpoints, "-o", "acts"), ("measure", "acts", "-o", "res"), (*sharpness, "-o", "res"))
    for command in (*chain, ("rank", "res")):
        options = ("--after", ids[-1]) if ids else ()
        options += () if command[0] == "rank" else ("--array", 3)
        done = icc("submit", *options, "--", *command, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        ids.append(done.stdout.strip())
        assert ids[-1].isdecimal()
    until(lambda: not queued(ids[-1]), seconds=400)
    assert icc("measure", caches, "-o", tmp_path / "serial").returncode == 0
    assert icc(*sharpness, "-o", tmp_path / "serial").returncode == 0
    assert contents(tmp_path / "res") == contents(tmp_path / "serial")
    ranked = icc("rank", tmp_path / "serial")
    log = next((tmp_path / "icc-jobs").glob("*-rank*")) / "0.log"
    assert ranked.returncode == 0 and ranked.stdout.strip() in log.read_text()


@pytest.mark.parametrize("how", ["SIGKILL", "SIGTERM", "scancel", "scancel --signal=KILL"])
def test_a_killed_task(slurm, big, tmp_path, how):
    out = tmp_path / "out"
    job = submit(big, out).stdout.strip()
    until(lambda: out.exists() and contents(out))
    if how.startswith("SIG"):
        for process in processes(f"{out}\0--shard\0001/2"):
            os.kill(process, signal.Signals[how])
    else:
        subprocess.run([*how.split(), f"{job}_0"], check=True)
    until(lambda: not queued(job))
    assert len(only_what_is_missing(big, out)) < CACHES


def test_the_exit_code_tells_partial_failure(slurm, big, tmp_path):
    out = tmp_path / "out"
    (big / "acts" / "bad.h5").write_bytes(b"no cache")
    try:
        done = submit(big, out, "--wait")
    finally:
        (big / "acts" / "bad.h5").unlink()
    assert done.returncode == 1 and "1 of 2 tasks did not succeed" in done.stderr, done.stderr
    assert contents(out) == contents(big / "serial")
    state = subprocess.run(["scontrol", "show", "job", done.stdout.strip()], capture_output=True, text=True).stdout
    assert sorted(re.findall(r"JobState=(\w+)", state)) == ["COMPLETED", "FAILED"]


def test_near_the_time_limit_a_task_is_requeued_and_goes_on(slurm, big, tmp_path):
    out = tmp_path / "out"
    job = submit(big, out).stdout.strip()
    until(lambda: out.exists() and contents(out))
    subprocess.run(["scancel", "--batch", "--signal=USR1", f"{job}_0"], check=True)
    until(lambda: not queued(job))
    assert contents(out) == contents(big / "serial")
    assert "finishing the file in hand" in "".join(p.read_text() for p in (big / "icc-jobs").glob("*/0.log"))


def test_a_node_that_goes_down(slurm, big, tmp_path):
    out = tmp_path / "out"
    job = submit(big, out, "--nodelist=n1").stdout.strip()
    until(lambda: out.exists() and contents(out))
    cluster("node-down", slurm, "n1")
    workers = processes(str(out), "SLURMD_NODENAME=n1")
    for line in subprocess.run(["ps", "-eo", "pid=,args="], capture_output=True, text=True).stdout.splitlines():
        pid, _, args = line.strip().partition(" ")
        if "slurmstepd: [" in args and any(f"[{j}." in args for j in job_numbers(job)):
            os.kill(int(pid), signal.SIGKILL)
    for pid in workers:
        os.kill(pid, signal.SIGKILL)
    assert len(contents(out)) < CACHES
    until(
        lambda: (
            "down" in subprocess.run(["sinfo", "-hN", "-n", "n1", "-o", "%T"], capture_output=True, text=True).stdout
        )
    )
    cluster("node-up", slurm, "n1")
    until(lambda: not queued(job), 200)
    assert contents(out) == contents(big / "serial")


def job_numbers(job):
    """The number of each task as a job of its own, as slurmstepd shows it."""
    shown = subprocess.run(["scontrol", "show", "job", job], capture_output=True, text=True).stdout
    return re.findall(r"JobId=(\d+)", shown)


@pytest.mark.skipif(os.geteuid() != 0, reason="NOT ROOT: cannot mount a small file system")
def test_a_full_output_disk(slurm, big, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=20k", "tmpfs", out], check=True)
    try:
        done = submit(big, out, "--wait")
        assert done.returncode == 1, done.stderr
        assert "No space left" in "".join(p.read_text() for p in (big / "icc-jobs").glob("*/*.log"))
        assert 0 < len(contents(out)) < CACHES
        subprocess.run(["mount", "-o", "remount,size=10m", out], check=True)
        only_what_is_missing(big, out)
    finally:
        subprocess.run(["umount", "-l", out], check=True)


def test_two_arrays_over_the_same_inputs(slurm, big, tmp_path):
    out = tmp_path / "out"
    first, second = submit(big, out).stdout.strip(), submit(big, out, tasks=3).stdout.strip()
    until(lambda: not queued(first) and not queued(second))
    assert contents(out) == contents(big / "serial")
    assert [path.name for path in out.iterdir() if path.name.startswith(".")] == []


def test_no_array_is_larger_than_the_site_allows(slurm, big, tmp_path):
    done = icc("submit", "--array", 500, "--dry-run", "--", "measure", tmp_path, cwd=tmp_path)
    assert done.returncode == 0 and "#SBATCH --array=0-100\n" in done.stdout and "at most 101 tasks" in done.stderr
