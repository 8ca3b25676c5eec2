"""The tasks of a job as processes of this machine, by the script that Slurm would run."""

import os
import signal
import subprocess
import time
from collections.abc import Callable

from icc_cli.cluster.job import Job

SECONDS_BETWEEN_LOOKS = 0.1


def run(job: Job, cpus: int, gpus_each: int, gpus: list[str], cores: int, on_end: Callable[[int], None]) -> None:
    """Run every task, as many at once as cores (`cpus` to each) and GPUs allow; `on_end` gets each one's number.

    When this is interrupted, running tasks get SIGTERM, finish the file in hand, and are waited for.
    """
    slots = max(1, cores // cpus)
    if gpus_each:
        slots = max(1, min(slots, len(gpus) // gpus_each))
    free, waiting = list(range(slots)), list(range(job.tasks))
    running: dict[int, tuple[subprocess.Popen[bytes], int]] = {}
    try:
        while waiting or running:
            while free and waiting:
                task, slot = waiting.pop(0), free.pop(0)
                running[task] = _start(job, task, cpus, gpus[slot * gpus_each : (slot + 1) * gpus_each]), slot
            for task, (process, slot) in list(running.items()):
                if process.poll() is not None:
                    del running[task]
                    free.append(slot)
                    on_end(task)
            time.sleep(SECONDS_BETWEEN_LOOKS)
    finally:
        for process, _ in running.values():
            process.send_signal(signal.SIGTERM)
        for process, _ in running.values():
            process.wait()


def _start(job: Job, task: int, cpus: int, gpus: list[str]) -> subprocess.Popen[bytes]:
    variables = {"SLURM_ARRAY_TASK_ID": str(task), "SLURM_CPUS_PER_TASK": str(cpus)}
    if gpus:
        variables["CUDA_VISIBLE_DEVICES"] = ",".join(gpus)
    with job.log(task).open("ab") as log:
        return subprocess.Popen(
            ["bash", str(job.script)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**os.environ, **variables},
            start_new_session=True,  # Ctrl-C comes to us, who pass it on as SIGTERM
        )
