"""`icc report`: one page that holds the ranking, the figures, what was run and what was left out."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from icc_cli import __version__
from icc_cli.cli import _options as options
from icc_cli.cli._figures import LeastAccuracy, Records, Runs, Target
from icc_cli.cli._rank_input import Asked, SideTables, located, names_of, studies_of
from icc_cli.cli._report import Reporter
from icc_cli.cli._run import EXIT_SOME_FAILED
from icc_cli.errors import FormatError, UsageError
from icc_cli.files import write_atomically
from icc_cli.shapes import JsonObject

if TYPE_CHECKING:
    from icc_cli.ranking.sources.sets import Located, ModelSet, RecordSet
    from icc_cli.ranking.study import Study

SETTINGS = ("convention", "k", "layer_k", "site_k", "method", "target", "batch_norm", "samples", "tolerance")


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
    """Write one HTML page: the ranking table, the figures that the records allow, what was run and left out.

    The page holds everything it shows, and opens from disk. Figures zoom, and their points say their values.
    """
    from icc_cli.plots import along_training, k_curves, page
    from icc_cli.plots.style import require
    from icc_cli.ranking.sources.selection import Selection
    from icc_cli.ranking.sources.sets import record_sets
    from icc_cli.ranking.study import Settings

    require()
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
    parts = [
        page.paragraph(f"{_count([models for models, _ in ordered])}, ranked by {target}. Made by icc {__version__}.")
    ]
    for models, every_one in ordered:
        ranking, notes = _order(models.name, every_one)
        parts += ranking
        told += notes
    for models, study in made:
        parts.append(page.heading(models.name or "Models"))
        if study is not None:
            ranking, notes = _ranking(study)
            parts += ranking
            told += notes
        drawn, missing = _figures(models, study, swept.get(models.name), every.get(models.name))
        parts += drawn
        told += missing
        parts.append(page.folded(f"All {len(models.table)} models", page.table(_model_rows(models))))
    parts.append(page.heading("What was run"))
    parts += [part for models in sets for part in _runs(models)]
    parts.append(page.heading("What was left out, and what to know"))
    said = Counter(note for models in sets for record in models.records for note in record.notes)
    told += [f"{note} ({count} records)" for note, count in said.items()]
    if failures:
        told.append(f"{failures} inputs could not be read.")
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


def _order(name: str, study: "Study") -> tuple[list[str], list[str]]:
    """The models by predicted generalization, with what is said of the order, and its notes."""
    from icc_cli.plots import page
    from icc_cli.ranking.cells import lines
    from icc_cli.ranking.order import order

    part = order(study)
    heading = f"Which generalize best: {name}" if name else "Which generalize best"
    table = page.table([dict(line.head) for line in lines(part.rows)])
    return [page.heading(heading), table, page.paragraph(" ".join((f"{part.title}.", *part.said)), quiet=True)], [
        *part.notes
    ]


def _ranking(study: "Study") -> tuple[list[str], list[str]]:
    """The table with its caption, and the notes of `icc rank`."""
    from icc_cli.plots import page
    from icc_cli.ranking.cells import probability
    from icc_cli.ranking.scores import kendall

    part = kendall.score(study, kendall.Options())
    shown = []
    for row in part.rows:
        if not row["models"]:
            continue
        name = f"{row['measure']} (control)" if row.get("control") else row["measure"]
        sign = f"{row['direction']:+d}" + (f" ({row['sign']})" if row.get("sign") else "")
        line: JsonObject = {"measure": name, "direction": sign, "models": row["models"]}
        line["Ψ"] = page.coefficient(row["Psi"], row.get("Psi_interval"))
        line["p"], line["p (Holm)"] = probability(row["p"]), probability(row["p_holm"])
        line["τ"] = page.coefficient(row["tau"], None)
        for axis, cell in row["axes"].items():
            counts = f"{cell['groups']} groups, {cell['pairs']} pairs, {cell['ties']} ties"
            line[axis] = page.coefficient(cell["psi"], cell.get("interval"), counts)
        shown.append(line)
    caption = (
        f"{part.title}, which stand below the values. Ψ is the mean of the axes, τ is over all pairs; both times the "
        "direction that is expected. p is of Ψ = 0, and Holm's is adjusted for the number of measures."
    )
    return [page.table(shown), page.paragraph(caption, quiet=True)], list(part.notes)


def _figures(
    models: "ModelSet",
    study: "Study | None",
    swept: "tuple[ModelSet, Study] | None",
    every: "RecordSet | None",
) -> tuple[list[str], list[str]]:
    """The figures that the records allow, and why the others are not there.

    `swept` is the set with the measures over neurons at every k, `every` the models of every epoch.
    """
    from icc_cli.plots import page
    from icc_cli.plots.figure import Given
    from icc_cli.plots.figures import FIGURES, figure

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


def _model_rows(models: "ModelSet") -> list[JsonObject]:
    table = models.table
    return [
        {
            "checkpoint": name,
            **{key: values[i] for key, values in table.hparams.items()},
            **{key: _defined(table.column(key)[i]) for key in table.columns},
        }
        for i, name in enumerate(table.names)
    ]


def _defined(value: float) -> float | None:
    return None if value != value else float(value)


def _runs(models: "ModelSet") -> list[str]:
    """What the records say of how they came to be."""
    from icc_cli.plots import page

    first = models.records[0]
    lines = [f"model: {_said(r.model for r in models.records)}", f"data: {_plain(first.data)}"]
    for key in SETTINGS:
        values = [record.settings[key] for record in models.records if record.settings.get(key) is not None]
        if values:
            lines.append(f"{key}: {_said(values)}")
    for name, levels in models.table.hparams.items():
        if len(set(map(str, levels))) > 1:
            lines.append(f"{name} varies: {_said(levels)}")
    return [page.heading(models.name or "Models", 3), page.bullets(lines)]


def _said(values: Iterable[Any]) -> str:
    distinct = list(dict.fromkeys(_plain(value) for value in values))
    return ", ".join(distinct[:8]) + (f", and {len(distinct) - 8} more" if len(distinct) > 8 else "")


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)
