"""Slurm, by its own commands: sbatch, squeue, scontrol."""

import re
import subprocess
from collections import Counter

from icc_cli.cluster.job import Job
from icc_cli.errors import IccError, UsageError

HINT = "Run this where sbatch works, or use --executor local."


def submit(job: Job) -> str:
    """The id of the job. UsageError, with Slurm's words, when Slurm refuses it."""
    done = _run("sbatch", "--parsable", str(job.script))
    if done.returncode:
        raise UsageError(f"sbatch refused {job.script}: {done.stderr.strip()}", "Fix the options and submit again.")
    return done.stdout.strip().partition(";")[0]


def array_limit() -> int | None:
    """The most tasks that one array may have here (MaxArraySize); None when Slurm does not say."""
    try:
        found = re.search(r"^MaxArraySize\s*=\s*(\d+)", _run("scontrol", "show", "config").stdout, re.MULTILINE)
    except IccError:
        return None
    return int(found[1]) if found else None


def states(job_id: str) -> Counter[str] | None:
    """How many tasks are in each state, of those that have not ended; None when Slurm does not answer now."""
    done = _run("squeue", "--noheader", "--array", "--jobs", job_id, "--format=%T")
    if done.returncode:
        return Counter() if "Invalid job id" in done.stderr else None
    return Counter(done.stdout.split())


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise UsageError(f"there is no {command[0]} on this machine.", HINT) from error
