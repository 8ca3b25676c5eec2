"""--shard, --jobs and submit as they are typed, without Slurm."""

import json
import signal
import subprocess
import time

from tests.conftest import icc


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_shards_and_jobs_give_what_the_serial_run_gives(caches, tmp_path):
    assert icc("measure", caches, "-o", tmp_path / "serial").returncode == 0
    for i in (1, 2, 3, 4):
        done = icc("measure", caches, "-o", tmp_path / "shards", "--shard", f"{i}/4")
        assert done.returncode == 0, done.stderr
    assert "is empty" in done.stderr  # three inputs in four shards
    done = icc("measure", caches, "-o", tmp_path / "jobs", "--jobs", 2)
    assert done.returncode == 0, done.stderr
    assert contents(tmp_path / "shards") == contents(tmp_path / "jobs") == contents(tmp_path / "serial")


def test_jobs_keep_the_order_and_report_the_bad_input(caches, tmp_path):
    bad = tmp_path / "bad.h5"
    bad.write_bytes(b"no cache")
    inputs = [*sorted(caches.iterdir()), bad, sorted(caches.iterdir())[0]]
    serial, parallel = (icc("measure", *inputs, "--format", "json", "--jobs", jobs) for jobs in (1, 2))
    assert serial.returncode == parallel.returncode == 1
    assert serial.stdout == parallel.stdout
    assert len(serial.stdout.splitlines()) == 3, "a file that is named twice is measured once"
    assert "bad.h5 is not a readable cache" in parallel.stderr


def test_extract_with_jobs(checkpoints, caches, tmp_path):
    done = icc("extract", checkpoints, "-o", tmp_path, "--jobs", 2)
    assert done.returncode == 0, done.stderr
    records = [icc("measure", folder, "--format", "json").stdout for folder in (caches, tmp_path)]
    assert [json.loads(line)["measures"] for line in records[0].splitlines()] == [
        json.loads(line)["measures"] for line in records[1].splitlines()
    ]


def test_two_shards_never_share_an_output(caches, tmp_path):
    (tmp_path / "other").mkdir()
    first = sorted(caches.iterdir())[0]
    (tmp_path / "other" / first.name).write_bytes(first.read_bytes())
    done = icc("measure", first, tmp_path / "other" / first.name, "-o", tmp_path / "out.json", "--shard", "1/2")
    assert done.returncode == 2 and "would both be written" in done.stderr


def test_submit_to_local_processes(caches, tmp_path):
    (tmp_path / "acts").mkdir()
    for path in caches.iterdir():
        (tmp_path / "acts" / path.name).write_bytes(path.read_bytes())
    command = ("submit", "--executor", "local", "--array", 2, "--", "measure", "acts", "-o", "res")
    done = icc(*command, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert icc("measure", caches, "-o", tmp_path / "serial").returncode == 0
    assert contents(tmp_path / "res") == contents(tmp_path / "serial")
    (tmp_path / "acts" / "bad.h5").write_bytes(b"no cache")
    done = icc(*command, cwd=tmp_path)
    assert done.returncode == 1 and "1 of 2 tasks did not succeed" in done.stderr, done.stderr


def test_dry_run_passes_options_of_sbatch_through(caches, tmp_path):
    given = ("--account", "a lab", "--qos=x", "--exclusive", "--signal=B:USR1@30", "--after", 7)
    done = icc(
        "submit", "--array", 2, *given, "--executor", "local", "--dry-run", "--", "measure", caches, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    for line in ("--account 'a lab'", "--qos=x", "--exclusive", "--dependency=afterany:7", "--array=0-1"):
        assert f"#SBATCH {line}" in lines
    assert [line for line in lines if "--signal" in line] == ["#SBATCH --signal=B:USR1@30"]
    assert not list(tmp_path.iterdir())


def test_what_submit_refuses(caches, tmp_path):
    for command, words in (
        (("measure", caches), "no command to run"),
        (("--", "rank2", caches), "cannot run 'rank2'"),
        (("--array", 3, "--", "rank", caches), "as one task"),
        (("--executor", "local", "--", "measure", tmp_path), "--array N"),
        (("--", "measure", caches, "--shard", "1/2"), "Leave --shard out"),
        (("--", "measure", "-"), "no standard input"),
    ):
        done = icc("submit", *command, cwd=tmp_path)
        assert done.returncode == 2 and words in done.stderr, (command, done.stderr)


def test_a_shard_that_is_terminated_finishes_the_file_in_hand(caches, tmp_path):
    import os
    import sys

    from tests.conftest import ROOT

    many = [path for path in sorted(caches.iterdir()) for _ in range(40)]
    process = subprocess.Popen(
        [sys.executable, "-m", "icc_cli", "measure", *map(str, many), "--shard", "1/1", "--format", "json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"},
    )
    assert process.stdout is not None
    json.loads(process.stdout.readline())
    process.send_signal(signal.SIGTERM)
    begin = time.monotonic()
    out, err = process.communicate(timeout=60)
    assert process.returncode == 143 and "finishing the file in hand" in err
    assert len(out.splitlines()) < len(many) - 1 and time.monotonic() - begin < 30
    assert all(json.loads(line)["record"] == "icc-measure" for line in out.splitlines())
