"""`icc measure`: activation caches to records of measures."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from icc_cli.cli import _complete
from icc_cli.cli import _options as options
from icc_cli.cli._inputs import MEASURED, Input, is_cache
from icc_cli.cli._networks import Networks, takes_networks
from icc_cli.cli._records import Printer, Recorded, Recorder
from icc_cli.cli._report import Reporter
from icc_cli.cli._run import each, sharded
from icc_cli.cli._tables import chosen
from icc_cli.errors import UsageError
from icc_cli.files import remove_safely
from icc_cli.parts import siblings, whole_of
from icc_cli.shapes import JsonObject

if TYPE_CHECKING:
    from icc_cli.measures.chosen import Chosen
    from icc_cli.measures.options import Options
    from icc_cli.records import Record, Settings

RECORD_SUFFIX = ".measure.json"
MOST_PROCESSES = 4
"""More would take more memory than one process should."""


class Convention(StrEnum):
    paper = "paper"
    reference = "reference"


@takes_networks()
def measure(
    inputs: Annotated[
        list[str], typer.Argument(metavar="FILE...", help="Caches or checkpoints, folders of them, or - (stdin).")
    ],
    output: options.Output = None,
    *,
    measures: Annotated[
        list[str] | None,
        typer.Option(
            "--measure",
            "--measures",
            autocompletion=_complete.measures,
            metavar="NAME,...",
            help="What to compute, and nothing else: groups (paper, geometry, dimension, neurons, subclass, outputs, "
            "controls, all), names (c1), or anyone's measure as file.py:NAME, package.module:NAME or an installed "
            "plug-in; repeatable. Default: paper.",
            show_default=False,
        ),
    ] = None,
    k: Annotated[
        str, typer.Option("--k", help="Best neurons averaged for each (sub)class in c1 and c3; auto: 1/64 of all.")
    ] = "30",
    layer_k: Annotated[
        int, typer.Option(min=1, help="Best sites averaged in c2 and c4 (the paper: 1 for VGG, 5 for ResNets).")
    ] = 1,
    convention: Annotated[
        Convention, typer.Option(help="The paper's definition of c4, or that of the authors' code.")
    ] = Convention.paper,
    per_site: Annotated[bool, typer.Option("--per-site", help="Add every measure for each site.")] = False,
    site_k: Annotated[int, typer.Option(min=1, help="Best neurons of one site, for --per-site.")] = 5,
    all_k: Annotated[bool, typer.Option("--all-k", help="Add the measures over neurons (c1, c3) for every k.")] = False,
    remove_caches: Annotated[
        bool, typer.Option("--remove-caches", help="Delete each cache once its record is safely written; needs -o.")
    ] = False,
    networks: Networks,
    format: options.TableFormat = None,
    jobs: options.Jobs = 1,
    shard: options.Shard = None,
    force: options.Force = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Compute measures of each cache: the intraclass clustering measures c1 to c4, or others (CPU, no torch).

    A checkpoint is measured without a cache, from memory, with the options of `icc extract`; the numbers are the same.
    Of a folder that holds caches, these are measured.
    Without -o, prints a record (one JSON line) for each cache, or a table on a terminal; with -o, writes one
    record file for each cache and prints its path.
    """
    from icc_cli import resources

    processes = min(resources.own_threads(jobs or 1), MOST_PROCESSES)
    from icc_cli.measures.chosen import choose
    from icc_cli.measures.options import Options

    report = Reporter(quiet)
    settings = Options(_best(k), layer_k, site_k, convention.value, per_site, all_k)
    wanted = tuple(name.strip() for text in measures or ["paper"] for name in text.split(",") if name.strip())
    choose(wanted)  # so that a mistake is told before any cache is read
    if remove_caches and output is None:
        raise UsageError("--remove-caches waits until a record is in its file.", "Name where records go with -o.")
    recorder = Recorder(output, RECORD_SUFFIX, force)
    quieter = report if (jobs or 1) == 1 else Reporter(quiet=True)
    how = _How(wanted, settings, processes, jobs or 1, networks, remove_caches)
    work = partial(_work, recorder=recorder, how=how, report=quieter)
    found = networks.inputs(inputs, report, MEASURED)
    with Printer(chosen(format), _row, report) as done:
        each(sharded(found, shard, recorder.outputs), work, report, debug, done, jobs or 1)


def _best(text: str) -> int | Literal["auto"]:
    if text == "auto":
        return "auto"
    if not text.isdecimal() or int(text) < 1:
        raise UsageError(f"--k is {text!r}, expected a number of at least 1, or auto.")
    return int(text)


@dataclass(frozen=True)
class _How:
    """What the options say of every input; the measures by their names, which a worker loads them by."""

    wanted: tuple[str, ...]
    settings: "Options"
    processes: int
    jobs: int
    networks: Networks
    remove_caches: bool


def _work(item: Input, recorder: Recorder, how: _How, report: Reporter) -> Recorded:
    """One record, in this process or a worker."""
    if not is_cache(item.path):
        return _of_checkpoint(item, recorder, how, report)
    if how.networks.given:
        raise UsageError(f"{item.path} is a cache, and {how.networks.given[0]} is for checkpoints.", "Leave it out.")
    recorded = _of_cache(item, recorder, how, report)
    if how.remove_caches and recorded.path is not None:
        remove_safely(siblings(item.path) if whole_of(item.path) else [item.path], recorded.path)
    return recorded


def _of_cache(item: Input, recorder: Recorder, how: _How, report: Reporter) -> Recorded:
    from icc_cli import resources
    from icc_cli.cache import open_cache
    from icc_cli.measures.chosen import choose
    from icc_cli.measures.site import BLOCK_BYTES
    from icc_cli.measuring import record_of, stored_key

    measures = choose(how.wanted)

    def make() -> "Record":
        resources.keep_freed_memory(2 * BLOCK_BYTES, most=BLOCK_BYTES)  # of blocks, not of sites
        with open_cache(item.path) as cache:
            total = sum(site.shape[1] for site in cache.sites)
            with report.progress(item.path.name, total) as advance:
                return record_of(cache, item.path, measures, how.settings, advance, how.processes)

    key = partial(stored_key, item.path, measures, how.settings)
    return recorder.record(item, key, make, *_kept(measures, how))


def _of_checkpoint(item: Input, recorder: Recorder, how: _How, report: Reporter) -> Recorded:
    from icc_cli import resources

    resources.torch_threads(how.jobs)
    from icc_cli.extraction.checkpoint import held
    from icc_cli.extraction.ordered import Listener
    from icc_cli.extraction.provenance import of_subject
    from icc_cli.measures.chosen import choose
    from icc_cli.measuring import key_of, record_of

    resources.keep_freed_memory()
    measures = choose(how.wanted)
    subject = how.networks.request.subject(item.path, item.name.as_posix())

    def make() -> "Record":
        samples = len(subject.data.train) + (0 if subject.data.test is None else len(subject.data.test))
        with report.progress(item.path.name, samples) as advance:
            taken = held(subject, how.networks.how, Listener(advance, report.note, report.warn))
        return record_of(taken, item.path, measures, how.settings, processes=how.processes)

    key = key_of(of_subject(subject, how.networks.how).content_key, measures, how.settings)
    return recorder.record(item, lambda: key, make, *_kept(measures, how))


def _kept(measures: "Sequence[Chosen]", how: _How) -> "tuple[list[str], Settings]":
    """What a record that is there already must not have more or other of: measures, and settings."""
    settings = how.settings
    plain = {"convention": settings.convention, "k": settings.k, "layer_k": settings.layer_k}
    return [one.measure.name for one in measures], plain


def _row(record: "Record") -> JsonObject:
    accuracies = {name: record.metrics.get(name) for name in ("train_accuracy", "test_accuracy")}
    return {"checkpoint": record.checkpoint, **record.measures, **accuracies}
