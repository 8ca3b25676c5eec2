"""`icc sharpness`: checkpoints to records of 1/sigma' and 1/alpha'."""

from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from icc_cli.cli import _options as options
from icc_cli.cli._inputs import Input
from icc_cli.cli._networks import SITES, Networks, takes_networks
from icc_cli.cli._records import Printer, Recorded, Recorder
from icc_cli.cli._report import Reporter
from icc_cli.cli._run import each, sharded
from icc_cli.cli._tables import chosen
from icc_cli.shapes import JsonObject

if TYPE_CHECKING:
    from icc_cli.perturbation.estimate import Settings
    from icc_cli.records import Record
    from icc_cli.subject import Request

RECORD_SUFFIX = ".sharpness.json"
BATCH = 512


class Method(StrEnum):
    sequential = "sequential"
    reference = "reference"


class BatchNorm(StrEnum):
    eval = "eval"
    batch = "batch"


@takes_networks("test_per_class", "precision", *SITES)
def sharpness(
    inputs: Annotated[list[str], typer.Argument(metavar="CKPT...", help="Checkpoints, folders of them, or - (stdin).")],
    output: options.Output = None,
    mode: Annotated[
        str, typer.Option(help="random (1/sigma'), worst (1/alpha'), or both separated by a comma.")
    ] = "random,worst",
    target: Annotated[
        str, typer.Option(metavar="KIND:X", help="Accuracy to keep: accuracy:0.9, or drop:0.1 from the network's own.")
    ] = "accuracy:0.9",
    kernels_only: Annotated[
        bool, typer.Option("--kernels-only", help="Only 1/sigma'' and 1/alpha'', which perturb no bias or norm.")
    ] = False,
    bn: Annotated[
        BatchNorm | None,
        typer.Option(
            help="Batch norm's statistics: running (eval) or the batch's (batch). "
            "Default: eval for all weights, batch for kernels only.",
            show_default=False,
        ),
    ] = None,
    method: Annotated[
        Method, typer.Option(help="The default search, or the authors' bisection (slow, no standard error).")
    ] = Method.sequential,
    tolerance: Annotated[
        float, typer.Option(min=0.001, max=1.0, help="Search until the standard error is this share of the value.")
    ] = 0.05,
    max_samples: Annotated[
        int | None, typer.Option(min=1, help="Use this many training images, drawn at random.", show_default=False)
    ] = None,
    ascent_steps: Annotated[
        int, typer.Option(min=5, help="Steps of gradient ascent in 1/alpha' (the authors': 250).")
    ] = 250,
    seed: Annotated[int, typer.Option(help="Seed of all random numbers; each checkpoint derives its own.")] = 0,
    *,
    networks: Networks,
    jobs: options.Jobs = None,
    shard: options.Shard = None,
    format: options.TableFormat = None,
    force: options.Force = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Compute how sharp a minimum each checkpoint sits in: 1/m, m the largest perturbation of the weights, relative
    to their size, that keeps the training accuracy at its target.

    Without -o, prints a record (one JSON line) for each checkpoint, or a table on a terminal; with -o, writes
    one record file for each checkpoint and prints its path.
    """
    from icc_cli import resources
    from icc_cli.perturbation.estimate import Settings, Target

    report = Reporter(quiet)
    settings = Settings(
        Target.parse(target),
        method.value,
        tuple(part.strip() for part in mode.split(",")),
        kernels_only,
        bn.value if bn else None,
        tolerance,
        seed,
        ascent_steps,
        max_samples,
    )
    form = chosen(format)
    recorder = Recorder(output, RECORD_SUFFIX, force)
    processes = jobs or (max(1, len(resources.gpus())) if networks.how.device in ("auto", "cuda") else 1)
    resources.share_threads(processes)
    work = partial(
        _work,
        request=networks.request,
        recorder=recorder,
        settings=settings,
        device=networks.how.device or "auto",
        batch_size=networks.how.batch_size or BATCH,
        report=report if processes == 1 else Reporter(quiet=True),
    )
    found = sharded(networks.inputs(inputs, report), shard, recorder.outputs)
    with Printer(form, _row, report) as done:
        each(found, work, report, debug, done, processes)


def _work(
    item: Input,
    request: "Request",
    recorder: Recorder,
    settings: "Settings",
    device: str,
    batch_size: int,
    report: Reporter,
) -> Recorded:
    """One checkpoint's record, in this process or a worker."""
    from icc_cli.extraction import resolve_device
    from icc_cli.perturbation.record import key_of, record_of
    from icc_cli.perturbation.sharpness import wanted
    from icc_cli.resources import keep_freed_memory

    keep_freed_memory()
    subject = request.subject(item.path, item.name.as_posix())

    def make() -> "Record":
        where = resolve_device(device)
        with report.progress(item.path.name, len(wanted(settings))) as advance:
            return record_of(subject, settings, where, batch_size, advance)

    plain = {"target": str(settings.target), "method": settings.method, "batch_norm": settings.bn or "default"}
    return recorder.record(item, partial(key_of, subject, settings), make, wanted(settings), plain)


def _row(record: "Record") -> JsonObject:
    cells: JsonObject = {"checkpoint": record.checkpoint}
    details: Any = record.extra["details"]
    for name, value in record.measures.items():
        detail = details.get(name)
        if detail is not None:
            cells |= {name: value, f"{name} s.e.": detail["standard_error"], f"{name} outcome": detail["outcome"]}
    return cells
