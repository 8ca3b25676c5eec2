"""`icc measure`: activation caches to records of c1 to c4."""

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from icc_cli import __version__, records
from icc_cli.cli import _options as options
from icc_cli.cli._report import Reporter
from icc_cli.cli._run import CACHE_SUFFIXES, Input, Outputs, each, expand, sharded
from icc_cli.cli._tables import chosen, render
from icc_cli.errors import FormatError, UsageError
from icc_cli.files import write_atomically

RECORD_SUFFIX = ".measure.json"
MOST_THREADS = 4
"""More would take more memory than one process should."""


class Convention(StrEnum):
    paper = "paper"
    reference = "reference"


def measure(
    inputs: Annotated[list[str], typer.Argument(metavar="CACHE...", help="Caches, folders of them, or - (stdin).")],
    output: options.Output = None,
    k: Annotated[int, typer.Option("--k", min=1, help="Best neurons averaged for each (sub)class in c1 and c3.")] = 30,
    layer_k: Annotated[
        int, typer.Option(min=1, help="Best sites averaged in c2 and c4 (the paper: 1 for VGG, 5 for ResNets).")
    ] = 1,
    convention: Annotated[
        Convention, typer.Option(help="The paper's definition of c4, or that of the authors' code.")
    ] = Convention.paper,
    per_site: Annotated[bool, typer.Option("--per-site", help="Add every measure for each site.")] = False,
    site_k: Annotated[int, typer.Option(min=1, help="Best neurons of one site, for --per-site.")] = 5,
    all_k: Annotated[bool, typer.Option("--all-k", help="Add c1 and c3 for every k.")] = False,
    format: options.TableFormat = None,
    jobs: options.Jobs = 1,
    shard: options.Shard = None,
    force: options.Force = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Compute the intraclass clustering measures c1 to c4 of each cache (CPU, no torch).

    Without -o, prints a record (one JSON line) for each cache, or a table on a terminal; with -o, writes one
    record file for each cache and prints its path.
    """
    from icc_cli.resources import own_threads

    threads = min(own_threads(jobs or 1), MOST_THREADS)
    from icc_cli.measures import Options

    report = Reporter(quiet)
    settings = Options(k, layer_k, site_k, convention.value, per_site, all_k)
    form = chosen(format)
    if output is not None and output.suffix in (".h5", ".csv") and not output.is_dir():
        raise UsageError(f"records are JSON, and cannot go to {output}.", "Name a folder or a .json file with -o.")
    outputs = Outputs(output, RECORD_SUFFIX) if output is not None else None
    rows: list[dict[str, Any]] = []
    notes: Counter[str] = Counter()

    def done(measured: Measured) -> None:
        if measured.new:
            notes.update(measured.record.notes)
        else:
            report.note(f"{measured.path} is there already.")
        if measured.path:
            typer.echo(measured.path)
        elif form is options.Format.json:
            typer.echo(records.dumps(measured.record))
        else:
            rows.append(_row(measured.record))

    quieter = Reporter(quiet or (jobs or 1) > 1)
    work = partial(_work, outputs=outputs, settings=settings, threads=threads, force=force, report=quieter)
    try:
        each(sharded(expand(inputs, CACHE_SUFFIXES), shard, outputs), work, report, debug, done, jobs or 1)
    finally:
        if rows:
            typer.echo(render(rows, form))
        for note, count in notes.items():
            report.note(f"{note} ({count} of the caches)" if sum(notes.values()) > 1 else note)


@dataclass(frozen=True)
class Measured:
    """The record of one cache, the file it is in if it has one, and whether it was computed by this run."""

    record: records.Record
    path: Path | None
    new: bool


def _work(item: Input, outputs: Outputs | None, settings: Any, threads: int, force: bool, report: Reporter) -> Measured:
    path = outputs.path(item) if outputs else None
    stored = _stored(path, item.path, settings) if path and not force else None
    if stored is not None:
        return Measured(stored, path, False)
    record = measure_cache(item.path, settings, threads, report)
    if path:
        write_atomically(path, records.dumps(record) + "\n")
    return Measured(record, path, True)


def measure_cache(path: Path, settings: Any, threads: int, report: Reporter) -> records.Record:
    """The record of one cache; `settings` are the measures' Options. FormatError when it cannot be read."""
    from icc_cli.cache import open_cache
    from icc_cli.measures import measure as compute

    with open_cache(path) as cache:
        total = sum(site.shape[1] for site in cache.sites)
        with report.progress(path.name, total) as advance:
            try:
                result = compute(cache.sites, cache.labels, cache.sublabels, settings, advance, threads)
            except FormatError as error:
                raise FormatError(f"{path}: {error.message}", error.hint) from error
        head = {key: cache.metadata.get(key) for key in records.HEAD}
        extra: dict[str, Any] = {}
        if result.per_site is not None:
            extra["sites"] = result.per_site
        if result.all_k is not None:
            extra["all_k"] = {name: None if curve is None else curve.tolist() for name, curve in result.all_k.items()}
        content = {
            "record": records.MEASURE,
            "version": records.VERSION,
            **head,
            "convention": settings.convention,
            "k": settings.k,
            "layer_k": settings.layer_k,
            "site_k": settings.site_k if settings.per_site else None,
            "groups": result.groups,
            "measures": result.measures,
            **extra,
            "notes": result.notes,
            "generated-by": f"icc {__version__}",
            "content_key": _key(cache.content_key, settings),
        }
        return records.from_json(content, str(path))


def _key(cache_key: str, settings: Any) -> str:
    from dataclasses import asdict

    from icc_cli.cache import content_key

    return content_key(cache=cache_key, version=records.VERSION, **asdict(settings))


def _stored(output: Path, cache: Path, settings: Any) -> records.Record | None:
    """The record that is at `output` already, if it is of this cache and these settings."""
    from icc_cli.cache import stored_content_key

    if not output.exists() or (cache_key := stored_content_key(cache)) is None:
        return None
    try:
        record = next(iter(records.read(output)))
    except FormatError:
        return None
    return record if record.content_key == _key(cache_key, settings) else None


def _row(record: records.Record) -> dict[str, Any]:
    accuracies = {name: record.metrics.get(name) for name in ("train_accuracy", "test_accuracy")}
    return {"checkpoint": record.checkpoint, **record.measures, **accuracies}
