"""`icc submit`: any command over its inputs as a Slurm job array, or the same in local processes."""

import shlex
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from icc_cli import cli
from icc_cli.cli import _inputs
from icc_cli.cli import _options as options
from icc_cli.cli._guard import guarded
from icc_cli.cli._report import Reporter
from icc_cli.errors import IccError, UsageError
from icc_cli.folders import CHECKPOINT_SUFFIXES

if TYPE_CHECKING:
    from icc_cli.cluster.job import Job

INPUTS_OF = {
    "extract": CHECKPOINT_SUFFIXES,
    "sharpness": CHECKPOINT_SUFFIXES,
    "measure": _inputs.MEASURED,
}
"""The commands that take --shard, and what their inputs end in."""
COMMAND = "icc submit: command"


class Executor(StrEnum):
    slurm = "slurm"
    local = "local"


class SubmitCommand(TyperCommand):
    """A command whose own options end at `--`; what follows is kept as it is."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if "--" in args:
            split = args.index("--")
            ctx.meta[COMMAND] = args[split + 1 :]
            args = args[:split]
        return super().parse_args(ctx, args)


app = typer.Typer(add_completion=False)


@app.command(cls=SubmitCommand, context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
@guarded
def submit(
    ctx: typer.Context,
    array: Annotated[
        int | None, typer.Option(min=1, help="At most this many tasks. Default: as many as the inputs are worth.")
    ] = None,
    by_rows: Annotated[
        bool, typer.Option("--by-rows", help="Each task of `extract` takes a part of the samples, of every checkpoint.")
    ] = False,
    gpus: Annotated[int, typer.Option(min=0, help="GPUs per task.")] = 0,
    cpus: Annotated[int, typer.Option(min=1, help="Cores per task.")] = 1,
    mem: Annotated[str | None, typer.Option(metavar="SIZE", help="Memory per task, such as 8G.")] = None,
    time: Annotated[str | None, typer.Option(metavar="TIME", help="Time limit per task, such as 2:00:00.")] = None,
    partition: Annotated[str | None, typer.Option(metavar="NAME", help="Slurm's partition.")] = None,
    after: Annotated[
        list[str] | None, typer.Option(metavar="JOB", help="Start after this job has ended; repeatable.")
    ] = None,
    logs: Annotated[Path, typer.Option(help="Where each job gets a folder with its script and logs.")] = Path(
        "icc-jobs"
    ),
    executor: Annotated[Executor, typer.Option(help="Slurm, or processes on this machine.")] = Executor.slurm,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for the job; the exit code says how it ended.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the script without submitting it.")] = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Run COMMAND over its inputs as a Slurm job array: icc submit [OPTIONS] -- COMMAND ...

    Prints the job's id. Any other option of sbatch (--account=X, --constraint=Y) goes into the script as it is.
    A job after another (--after) starts whether or not every task of that one succeeded.
    """
    from icc_cli.cluster import job as jobs
    from icc_cli.cluster import plan, slurm

    report = Reporter(quiet)
    command = _command(ctx)
    shards = command[0] in INPUTS_OF
    if not shards and array not in (None, 1):
        raise UsageError(f"icc {command[0]} takes its inputs together, as one task.", "Leave --array out.")
    if by_rows and (command[0] != "extract" or array is None):
        raise UsageError("--by-rows is for extract, and needs the number of tasks.", "Add --array N.")
    sizes = _sizes(command) if shards else None
    limit = slurm.array_limit() if executor is Executor.slurm else None
    if by_rows and array is not None and limit is not None and array > limit:
        raise UsageError(f"this site's arrays have at most {limit} tasks.", "Lower --array.")
    count = array if by_rows else plan.tasks(sizes, array, limit) if shards else 1
    if count is None:
        raise UsageError("the inputs are not there yet, so they cannot be counted.", "Say how many tasks: --array N.")
    if limit is not None and array is not None and array > limit:
        report.note(f"this site's arrays have at most {limit} tasks.")
    given = [("--gpus", gpus or None), ("--cpus-per-task", cpus), ("--mem", mem), ("--time", time)]
    given += [("--partition", partition), ("--dependency", f"afterany:{':'.join(after)}" if after else None)]
    lines = [f"{name}={shlex.quote(str(value))}" for name, value in given if value is not None]
    folder = jobs.new_folder(logs, command[0])
    job = jobs.Job(
        folder,
        tuple(command),
        count,
        shards,
        tuple(lines + _passed_through(ctx.args)),
        "--rows" if by_rows else "--shard",
    )
    inputs = "inputs that are not there yet" if sizes is None else f"{len(sizes)} inputs"
    report.note(f"{inputs} in {count} tasks" if shards else "one task")
    if dry_run:
        typer.echo(jobs.script(job), nl=False)
        return
    jobs.write(job)
    report.note(f"script and logs are in {folder}")
    if executor is Executor.local:
        _run_here(job, cpus, gpus, report)
    else:
        _submit(job, wait, report)


def _submit(job: "Job", wait: bool, report: Reporter) -> None:
    from icc_cli.cluster import follow, slurm

    job_id = slurm.submit(job)
    typer.echo(job_id)
    if wait:
        try:
            follow.wait(job, job_id, report.note)
        except KeyboardInterrupt:
            report.warn(f"job {job_id} keeps running; `scancel {job_id}` stops it.")
            raise
        _conclude(job)


def _run_here(job: "Job", cpus: int, gpus: int, report: Reporter) -> None:
    from icc_cli import resources
    from icc_cli.cluster import local

    found = resources.gpus()
    if gpus > len(found):
        raise UsageError(f"a task needs {gpus} GPUs, and this machine has {len(found)}.", "Lower --gpus.")
    with report.progress(f"{job.tasks} tasks", job.tasks) as advance:
        local.run(job, cpus, gpus, found, resources.cpus(), lambda task: advance(1))
    typer.echo(job.folder)
    _conclude(job)


def _conclude(job: "Job") -> None:
    """Name the tasks that did not succeed, and exit with the code that says so."""
    from icc_cli.cluster import follow

    if failed := follow.failures(job):
        hint = "Finished files are kept; the same command does only what is missing."
        Reporter().error(IccError(f"{len(failed)} of {job.tasks} tasks did not succeed.", hint, failed))
        raise typer.Exit(follow.exit_code(job))


def _command(ctx: typer.Context) -> list[str]:
    command: list[str] = ctx.meta.get(COMMAND, [])
    if command[:1] == ["icc"]:
        command = command[1:]
    if not command:
        raise UsageError(
            "there is no command to run.", "Put it after --, as in: icc submit -- measure acts/ -o results/"
        )
    known = set(cli.COMMANDS) - {"submit", "inspect"}
    if command[0] not in known:
        raise UsageError(f"icc submit cannot run {command[0]!r}.", f"It runs {', '.join(sorted(known))}.")
    if "--shard" in command:
        raise UsageError("icc submit gives each task its --shard.", "Leave --shard out.")
    if command[0] in INPUTS_OF and "-" in _parsed(command)["inputs"]:
        raise UsageError("a job's tasks have no standard input.", "Name files or folders.")
    return command


def _parsed(command: list[str]) -> dict[str, Any]:
    """The command's own arguments, checked now rather than by every task."""
    target = typer.main.get_command(cli.command(command[0]))
    with target.make_context(f"icc {command[0]}", list(command[1:])) as inner:
        return dict(inner.params)


def _sizes(command: list[str]) -> list[int] | None:
    """Bytes of each input; None when they are not there yet, as before the job that makes them has run."""
    inputs = _parsed(command)["inputs"]
    try:
        found = list(_inputs.expand(inputs, INPUTS_OF[command[0]]))
        return [item.path.stat().st_size for item in found]
    except (UsageError, OSError):
        return None


def _passed_through(arguments: list[str]) -> list[str]:
    """sbatch's own options, each with its value, as lines of a script."""
    lines: list[str] = []
    for argument in arguments:
        if argument.startswith("-"):
            name, equals, value = argument.partition("=")
            lines.append(f"{name}{equals}{shlex.quote(value) if equals else ''}")
        elif lines and "=" not in lines[-1] and " " not in lines[-1]:
            lines[-1] += f" {shlex.quote(argument)}"
        else:
            raise UsageError(
                f"{argument!r} is not an option of icc submit or of sbatch.", "The command comes after --."
            )
    return lines
