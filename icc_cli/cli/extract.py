"""`icc extract`: checkpoints to activation caches."""

from dataclasses import replace
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from icc_cli.cli import _options as options
from icc_cli.cli._inputs import Input
from icc_cli.cli._networks import Networks, takes_networks
from icc_cli.cli._outputs import Outputs, refuse_another
from icc_cli.cli._report import Reporter
from icc_cli.cli._run import each, sharded
from icc_cli.errors import UsageError

if TYPE_CHECKING:
    from icc_cli.extraction import Extraction
    from icc_cli.subject import Request


class StoreDtype(StrEnum):
    float32 = "float32"
    float16 = "float16"


@takes_networks()
def extract(
    inputs: Annotated[list[str], typer.Argument(metavar="CKPT...", help="Checkpoints, folders of them, or - (stdin).")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for the caches, or one .h5 file.")] = Path(),
    *,
    networks: Networks,
    store_dtype: Annotated[StoreDtype, typer.Option(help="Type of the numbers in the cache.")] = StoreDtype.float32,
    with_test: Annotated[bool, typer.Option("--with-test", help="Keep the test split's activations too.")] = False,
    rows: Annotated[
        str | None,
        typer.Option(
            metavar="i/n",
            help="Take only the i-th of n parts of the samples, and write NAME.iofn.h5; `measure` joins the parts.",
        ),
    ] = None,
    jobs: options.Jobs = None,
    shard: options.Shard = None,
    force: options.Force = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Run each checkpoint over its training images and write every activation function's input to an HDF5 cache.

    A checkpoint that `icc train` saved needs no option. Any other needs --model and --data.
    Prints the path of each cache as it is completed.
    """
    from icc_cli import resources
    from icc_cli.parts import Part

    part = None if rows is None else Part.parse(rows)
    processes = jobs or (max(1, len(resources.gpus())) if networks.how.device in ("auto", "cuda") else 1)
    resources.share_threads(processes)
    report = Reporter(quiet)
    if output.suffix in (".json", ".jsonl", ".csv") and not output.is_dir():
        raise UsageError(f"a cache is HDF5, and cannot go to {output}.", "Name a folder or an .h5 file with -o.")
    outputs = Outputs(output, ".h5")
    work = partial(
        _work,
        outputs=outputs,
        request=networks.request,
        how=replace(networks.how, store_dtype=store_dtype.value, with_test=with_test, rows=part),
        force=force,
        report=report if processes == 1 else Reporter(quiet=True),
    )
    each(
        sharded(networks.inputs(inputs, report), shard, outputs),
        work,
        report,
        debug,
        typer.echo,
        processes,
    )


def _work(item: Input, outputs: Outputs, request: "Request", how: "Extraction", force: bool, report: Reporter) -> Path:
    """Extract one checkpoint, in this process or a worker; returns the path of its cache."""
    from icc_cli.cache import stored_content_key, stored_weights
    from icc_cli.extraction import resolve_device
    from icc_cli.extraction.checkpoint import extract_subject
    from icc_cli.extraction.ordered import Listener
    from icc_cli.extraction.provenance import of_subject
    from icc_cli.resources import keep_freed_memory

    keep_freed_memory()
    resolve_device(how.device or "auto")
    path = how.rows.path(outputs.path(item)) if how.rows else outputs.path(item)
    subject = request.subject(item.path, item.name.as_posix())
    key = of_subject(subject, how).content_key
    if not force and path.exists() and stored_content_key(path) == key:
        report.note(f"{path} is up to date; skipped (--force to redo).")
        return path
    if not force:
        refuse_another(path, stored_weights(path), subject.checkpoint.weights_sha256)
    samples = len(subject.data.train) + (0 if subject.data.test is None else len(subject.data.test))
    samples = samples // how.rows.count if how.rows else samples
    with report.progress(item.path.name, samples) as advance:
        extract_subject(subject, how, path, Listener(advance, report.note, report.warn))
    return path
