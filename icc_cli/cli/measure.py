"""`icc measure`: activation caches to records of measures."""

from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from icc_cli.cli import _options as options
from icc_cli.cli._inputs import CACHE_SUFFIXES, Input, expand
from icc_cli.cli._records import Printer, Recorded, Recorder
from icc_cli.cli._report import Reporter
from icc_cli.cli._run import each, sharded
from icc_cli.cli._tables import chosen
from icc_cli.errors import UsageError
from icc_cli.shapes import JsonObject

if TYPE_CHECKING:
    from icc_cli.measures.options import Options
    from icc_cli.records import Record

RECORD_SUFFIX = ".measure.json"
MOST_THREADS = 4
"""More would take more memory than one process should."""


class Convention(StrEnum):
    paper = "paper"
    reference = "reference"


def measure(
    inputs: Annotated[list[str], typer.Argument(metavar="CACHE...", help="Caches, folders of them, or - (stdin).")],
    output: options.Output = None,
    measures: Annotated[
        list[str] | None,
        typer.Option(
            "--measure",
            "--measures",
            metavar="NAME,...",
            help="What to compute, and nothing else: groups (paper, geometry, dimension, neurons, subclass, outputs, "
            "controls, all), names (c1), or anyone's measure as file.py:NAME, package.module:NAME or an installed "
            "plug-in; repeat it. Default: paper.",
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
    format: options.TableFormat = None,
    jobs: options.Jobs = 1,
    shard: options.Shard = None,
    force: options.Force = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Compute measures of each cache: the intraclass clustering measures c1 to c4, or others (CPU, no torch).

    Without -o, prints a record (one JSON line) for each cache, or a table on a terminal; with -o, writes one
    record file for each cache and prints its path.
    """
    from icc_cli import resources

    threads = min(resources.own_threads(jobs or 1), MOST_THREADS)
    from icc_cli.measures.chosen import choose
    from icc_cli.measures.options import Options

    report = Reporter(quiet)
    settings = Options(_best(k), layer_k, site_k, convention.value, per_site, all_k)
    wanted = tuple(name.strip() for text in measures or ["paper"] for name in text.split(",") if name.strip())
    choose(wanted)  # so that a mistake is told before any cache is read
    recorder = Recorder(output, RECORD_SUFFIX, force)
    quieter = report if (jobs or 1) == 1 else Reporter(quiet=True)
    work = partial(_work, recorder=recorder, wanted=wanted, settings=settings, threads=threads, report=quieter)
    with Printer(chosen(format), _row, report) as done:
        each(sharded(expand(inputs, CACHE_SUFFIXES), shard, recorder.outputs), work, report, debug, done, jobs or 1)


def _best(text: str) -> int | Literal["auto"]:
    if text == "auto":
        return "auto"
    if not text.isdecimal() or int(text) < 1:
        raise UsageError(f"--k is {text!r}, expected a number of at least 1, or auto.")
    return int(text)


def _work(
    item: Input, recorder: Recorder, wanted: tuple[str, ...], settings: "Options", threads: int, report: Reporter
) -> Recorded:
    """One cache's record, in this process or a worker, which loads the measures by their names."""
    from icc_cli.cache import open_cache
    from icc_cli.measures.chosen import choose
    from icc_cli.measuring import record_of, stored_key

    chosen = choose(wanted)

    def make() -> "Record":
        with open_cache(item.path) as cache:
            total = sum(site.shape[1] for site in cache.sites)
            with report.progress(item.path.name, total) as advance:
                return record_of(cache, item.path, chosen, settings, advance, threads)

    return recorder.record(item, stored_key(item.path, chosen, settings), make)


def _row(record: "Record") -> JsonObject:
    accuracies = {name: record.metrics.get(name) for name in ("train_accuracy", "test_accuracy")}
    return {"checkpoint": record.checkpoint, **record.measures, **accuracies}
