"""A job array as a folder: a readable sbatch script, the list of inputs, a log and an exit code for each task."""

import datetime
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

from icc_cli.errors import UsageError
from icc_cli.files import make_folder, write_atomically

SCRIPT = "job.sh"
INPUT_LIST = "inputs.jsonl"
SECONDS_BEFORE_LIMIT = 120

EXIT_TERMINATED = 143


@dataclass(frozen=True)
class Job:
    """One command over its inputs in `tasks` tasks; `array` is false for a command that is one task by nature.

    Each task takes the part of the inputs, or of the data's rows, that `split` says: --shard or --rows.

    `options` are lines of an sbatch script without their #SBATCH, such as `--mem=8G`.
    """

    folder: Path
    command: tuple[str, ...]
    tasks: int
    array: bool
    options: tuple[str, ...]
    split: str = "--shard"

    @property
    def script(self) -> Path:
        return self.folder / SCRIPT

    def log(self, task: int) -> Path:
        return self.folder / f"{task}.log"

    def exit_code(self, task: int) -> int | None:
        """How the task ended; None when it has not, or was killed before it could say."""
        try:
            return int((self.folder / f"{task}.exit").read_text())
        except (OSError, ValueError):
            return None


def new_folder(parent: Path, command: str) -> Path:
    """A path under `parent` that is not taken, named after the time and the command."""
    stamp = f"{datetime.datetime.now():%Y%m%d-%H%M%S}-{command}"
    names = [stamp, *(f"{stamp}-{number}" for number in range(2, 1000))]
    return next(parent.absolute() / name for name in names if not (parent / name).exists())


def write(job: Job) -> None:
    """Make the job's folder and write its script there."""
    make_folder(job.folder)
    write_atomically(job.script, script(job))


def script(job: Job) -> str:
    """The sbatch script. `SLURM_ARRAY_TASK_ID=3 bash job.sh` runs its fourth task by hand."""
    return "\n".join([*_header(job), "", *_body(job)]) + "\n"


def _header(job: Job) -> list[str]:
    name = "%a" if job.array else "0"
    lines = [f"--job-name=icc-{job.command[0]}"]
    lines += [f"--array=0-{job.tasks - 1}"] if job.array else []
    lines += [
        "--nodes=1",
        "--ntasks=1",
        f"--output={_slurm_name(job.folder)}/{name}.log",
        "--open-mode=append",
        "--requeue",
        "--kill-on-invalid-dep=yes",
        f"--signal=B:USR1@{SECONDS_BEFORE_LIMIT}",
    ]
    given = {option.partition("=")[0].partition(" ")[0] for option in job.options}
    lines = [line for line in lines if line.partition("=")[0] not in given]
    return ["#!/bin/bash", *(f"#SBATCH {line}" for line in [*lines, *job.options])]


def _slurm_name(folder: Path) -> str:
    """The folder for --output, where Slurm would replace % and would end at a blank."""
    if any(character in str(folder) for character in "\"'\\\n"):
        raise UsageError(f"Slurm takes no quote or backslash in the folder of its logs, {folder}.", "Choose --logs.")
    text = str(folder).replace("%", "%%")
    return f'"{text}"' if " " in text else text


def _body(job: Job) -> list[str]:
    command = shlex.join([sys.executable, "-m", "icc_cli", *job.command])
    folder = shlex.quote(str(job.folder))
    lines = [
        f"cd {shlex.quote(str(Path.cwd()))} || exit 2",
        "task=${SLURM_ARRAY_TASK_ID:-0}",
        f'exit_file={folder}/"$task".exit',
        'rm -f "$exit_file"',
    ]
    if job.array:
        command += f' {job.split} "$((task + 1))/{job.tasks}"'
        lines += [
            "# Every task takes the list of inputs that the first to start found, also when it is run again.",
            f"export ICC_INPUT_LIST={folder}/{INPUT_LIST}",
        ]
    return [
        *lines,
        "",
        "# SIGUSR1 comes from Slurm shortly before the time limit, SIGTERM with scancel and preemption. Either way the",
        "# file in hand is finished; after SIGUSR1 the task goes back to the queue, and goes on from there.",
        "limit=",
        "trap 'limit=near; kill -TERM \"$icc\" 2>/dev/null' USR1",
        "trap 'kill -TERM \"$icc\" 2>/dev/null' TERM",
        f"{command} &",
        "icc=$!",
        "# A trap ends `wait` early, so wait until the process is gone; bash remembers its code.",
        'while wait "$icc"; code=$?; kill -0 "$icc" 2>/dev/null; do :; done',
        'wait "$icc"; code=$?',
        f'if [ "$limit" = near ] && [ "$code" = {EXIT_TERMINATED} ]; then',
        '    scontrol requeue "$SLURM_JOB_ID" && exit "$code"',
        "fi",
        'echo "$code" >"$exit_file"',
        'exit "$code"',
    ]
