"""Waiting for a job's tasks, and what they came to."""

import time
from collections.abc import Callable

from icc_cli.cluster import slurm
from icc_cli.cluster.job import Job

FIRST_LOOK, LONGEST_PAUSE = 1.0, 15.0
SECONDS_FOR_FILES = 30.0
"""How long an exit code written on a node may take to be seen here, on NFS."""


def wait(job: Job, job_id: str, tell: Callable[[str], None]) -> None:
    """Return when no task of the job is queued or running; `tell` is called when their number has changed."""
    pause, last = FIRST_LOOK, ""
    while (states := slurm.states(job_id)) is None or states:
        if states is not None:
            ended = job.tasks - sum(states.values())
            counts = ", ".join(f"{count} {state.lower()}" for state, count in sorted(states.items()))
            text = f"job {job_id}: {ended} of {job.tasks} tasks ended, {counts}"
            if text != last:
                tell(text)
                last = text
        time.sleep(pause)
        pause = min(LONGEST_PAUSE, pause * 1.3)
    deadline = time.monotonic() + SECONDS_FOR_FILES
    while any(job.exit_code(task) is None for task in range(job.tasks)) and time.monotonic() < deadline:
        if not any((job.folder / f"{task}.log").exists() for task in range(job.tasks)):
            break  # cancelled before any task began
        time.sleep(1)


def exit_code(job: Job) -> int:
    """0 when every task succeeded; the code that all share when none did; otherwise 1, as for some of many inputs."""
    codes = {job.exit_code(task) for task in range(job.tasks)}
    if len(codes) == 1:
        (code,) = codes
        return 1 if code is None else code
    return 1


def failures(job: Job) -> list[str]:
    """A line for each task that did not succeed: its number, how it ended, its log."""
    lines = []
    for task in range(job.tasks):
        code = job.exit_code(task)
        if code != 0:
            how = "was killed or never ran" if code is None else f"ended with code {code}"
            lines.append(f"task {task} {how}: {job.log(task)}")
    return lines
