"""`icc report`: one page that holds the ranking, the figures, what was run and what was left out."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from icc_cli import __version__
from icc_cli.cli import _options as options
from icc_cli.cli._figures import LeastAccuracy, Records, Runs, Target
from icc_cli.cli._guard import EXIT_SOME_FAILED
from icc_cli.cli._rank_input import Asked, SideTables, located, names_of, studies_of
from icc_cli.cli._report import Reporter
from icc_cli.errors import FormatError, UsageError
from icc_cli.files import write_atomically

if TYPE_CHECKING:
    from icc_cli.ranking.sources.sets import Located, ModelSet, RecordSet
    from icc_cli.ranking.study import Study


def report(
    inputs: Records,
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE.html")] = Path("report.html"),
    target: Target = "test_accuracy",
    measures: Annotated[
        str | None, typer.Option(metavar="A,B", help="Columns to rank, as for `icc rank`. Default: ours.")
    ] = None,
    min_train_accuracy: LeastAccuracy = None,
    runs: Runs = None,
    bootstrap: Annotated[int, typer.Option(min=100, hidden=True, help="The intervals need no resamples.")] = 2000,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Write one HTML page: the models, the measures, the figures that the records allow, what was run and left out.

    The page holds everything it shows, opens from disk and fetches nothing. Its tables sort and filter; a model that is
    pointed at is lit in every panel.
    """
    from icc_cli.plots.style import require

    require()
    from icc_cli.plots import along_training, k_curves
    from icc_cli.plots.report import page, sections
    from icc_cli.ranking.sources.selection import Selection
    from icc_cli.ranking.sources.sets import record_sets
    from icc_cli.ranking.study import Settings

    if output.is_dir():
        output = output / "report.html"
    if output.suffix != ".html":
        raise UsageError(f"the report is HTML, and cannot go to {output}.", "Name a .html file with -o.")
    say = Reporter(quiet)
    found, failures = located(inputs, say)
    early = along_training.before_the_last([record for _, record in found])
    last = [(where, record) for where, record in found if record.weights_sha256 not in early]
    asked = Asked(Selection(target, measures=names_of(measures)), Settings({}, min_train_accuracy), SideTables(runs))
    curves = replace(asked, selection=replace(asked.selection, measures=k_curves.MEASURES))
    ordered, told = _studies(last, replace(asked, every=True), Reporter(quiet=True))
    made: Sequence[tuple[ModelSet, Study | None]]
    try:
        made, more = _studies(last, asked, say)
    except (UsageError, FormatError) as error:
        made, more = [(models, None) for models, _ in ordered], [f"The measures are not ranked: {error}"]
    told = list(dict.fromkeys([*told, *more]))
    swept = {models.name: (models, study) for models, study in _curves(last, curves)}
    if early:
        told.append(f"{len(found) - len(last)} records of earlier epochs are shown along training, and not ranked.")
    every = {one.name: one for one in record_sets(found)}
    sets = [models for models, _ in made]
    ranked = {models.name: sections.ranking(study) for models, study in made if study is not None}
    counts = f"{_count([models for models, _ in ordered])}, ranked by {target}. Made by icc {__version__}."
    parts = [page.paragraph(counts, quiet=True)]
    for models, every_one in ordered:
        parts.append(page.heading(models.name or "Models"))
        shown, notes = sections.summary(models.name, every_one, ranked.get(models.name))
        parts.append(shown)
        told += notes
    parts.append(page.folded("How to read this page", page.bullets(sections.READING)))
    for models, study in made:
        parts.append(page.heading(f"{models.name or 'Models'} in detail"))
        if models.name in ranked:
            parts += sections.along_axes(ranked[models.name])
            told += ranked[models.name].notes
        drawn, missing = _figures(models, study, swept.get(models.name), every.get(models.name))
        parts += drawn
        told += missing
        parts.append(sections.every_model(models))
    parts.append(page.heading("What was run"))
    for models in sets:
        parts += [page.heading(models.name or "Models", 3)] * (len(sets) > 1) + [sections.was_run(models)]
    parts.append(page.heading("What was left out, and what to know"))
    said = Counter(note for models in sets for record in models.records for note in record.notes)
    told += [f"{note} ({count} record{'s' if count > 1 else ''})" for note, count in said.items()]
    if failures:
        told.append(f"{failures} input{'s' if failures > 1 else ''} could not be read.")
    parts.append(page.bullets(list(dict.fromkeys(told))) if told else page.paragraph("Nothing."))
    write_atomically(output, page.page("Which networks generalize best, and why", parts))
    typer.echo(output)
    if failures:
        raise typer.Exit(EXIT_SOME_FAILED)


def _count(sets: "list[ModelSet]") -> str:
    models = sum(len(one.table) for one in sets)
    return f"{models} models in {len(sets)} set{'s' if len(sets) > 1 else ''}"


def _studies(
    found: "Sequence[Located]", asked: Asked, say: Reporter
) -> "tuple[list[tuple[ModelSet, Study]], list[str]]":
    """The study of each set, and what the page should say of how they came to be."""
    from icc_cli.ranking.sources.inputs import Loaded
    from icc_cli.ranking.sources.sets import model_sets

    sets, told = model_sets(found, asked.selection.sweep)
    made, _ = studies_of(Loaded(tuple(sets), (), tuple(told)), asked, say)
    return list(made.found), [*told, *made.told]


def _curves(found: "Sequence[Located]", asked: Asked) -> "list[tuple[ModelSet, Study]]":
    """The same with the measures over neurons at every k; none where the records do not hold them."""
    try:
        return _studies(found, asked, Reporter(quiet=True))[0]
    except (FormatError, UsageError):
        return []


def _figures(
    models: "ModelSet",
    study: "Study | None",
    swept: "tuple[ModelSet, Study] | None",
    every: "RecordSet | None",
) -> tuple[list[str], list[str]]:
    """The figures that the records allow, and why the others are not there.

    `swept` is the set with the measures over neurons at every k, `every` the models of every epoch.
    """
    from icc_cli.plots.figure import Given
    from icc_cli.plots.figures import FIGURES, figure
    from icc_cli.plots.report import page

    given = {
        "study": Given(models, study),
        "curves": Given(*(swept or (models, study))),
        "models": Given(models),
        "runs": Given(every or models),
    }
    parts, missing = [], []
    for one in map(figure, FIGURES):
        try:
            rows = one.rows(given[one.needs])
        except UsageError as error:
            missing.append(f"No figure “{one.caption.rstrip('.')}”: {error}")
        else:
            parts.append(page.figure(one.draw(rows), one.caption))
    return parts, missing
