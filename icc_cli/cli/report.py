"""`icc report`: one page that holds the ranking, the figures, what was run and what was left out."""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from icc_cli import __version__
from icc_cli.cli import _options as options
from icc_cli.cli._rank_input import located, names_of
from icc_cli.cli._report import Reporter
from icc_cli.cli._run import EXIT_SOME_FAILED
from icc_cli.cli.plot import LeastAccuracy, Records, Runs, Target, prepared_sets
from icc_cli.errors import UsageError
from icc_cli.files import write_atomically

if TYPE_CHECKING:
    from icc_cli.plots.sets import ModelSet, RecordSet
    from icc_cli.ranking.bootstrap import Bootstrap
    from icc_cli.ranking.sources.selection import Selection

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
    bootstrap: Annotated[int, typer.Option(min=100, help="Resamples for the intervals.")] = 2000,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Write one HTML page: the ranking table, the figures that the records allow, what was run and left out.

    The page holds everything it shows, and opens from disk. Figures zoom, and their points say their values.
    """
    from icc_cli.plots import along_training, k_curves, page
    from icc_cli.plots.sets import record_sets
    from icc_cli.plots.style import require
    from icc_cli.ranking.bootstrap import Bootstrap
    from icc_cli.ranking.sources.selection import Selection

    require()
    if output.is_dir():
        output = output / "report.html"
    if output.suffix != ".html":
        raise UsageError(f"the report is HTML, and cannot go to {output}.", "Name a .html file with -o.")
    say = Reporter(quiet)
    found, failures = located(inputs, say)
    selection = Selection(target, measures=names_of(measures))
    early = along_training.before_the_last([record for _, record in found])
    last = [(where, record) for where, record in found if record.weights_sha256 not in early]
    sets, told = prepared_sets(last, selection, min_train_accuracy, runs)
    curves, _ = prepared_sets(last, replace(selection, measures=k_curves.MEASURES), min_train_accuracy, runs)
    if early:
        told.append(f"{len(found) - len(last)} records of earlier epochs are shown along training, and not ranked.")
    every = {one.name: one for one in record_sets(found)}
    parts = [page.paragraph(f"{_count(sets)}, ranked by {target}. Made by icc {__version__}.")]
    for models in sets:
        parts.append(page.heading(models.name or "Models"))
        ranking, notes = _ranking(models, selection, Bootstrap(bootstrap))
        parts += ranking
        told += notes
        swept = next((one for one in curves if one.name == models.name), models)
        drawn, missing = _figures(models, swept, every.get(models.name), selection, Bootstrap(bootstrap))
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


def _ranking(models: "ModelSet", selection: "Selection", bootstrap: "Bootstrap") -> tuple[list[str], list[str]]:
    """The table with its caption, and the notes of `icc rank`."""
    from icc_cli.cli._rank_scores import Options, Subject, kendall_rows
    from icc_cli.plots import page
    from icc_cli.plots.scatter import measures_of
    from icc_cli.ranking.directions import direction
    from icc_cli.ranking.groups import axes_of

    table = models.table
    names = measures_of(table, selection)
    signs = [direction(name, selection.target, {}) for name in names]
    values = table.values[:, [table.columns.index(name) for name in names]] * signs
    subject = Subject(table, selection.target, names, signs, values, axes_of(table))
    rows, _, notes = kendall_rows(subject, Options(bootstrap=bootstrap.resamples, random_seed=bootstrap.seed))
    shown = []
    for row in rows:
        line: dict[str, Any] = {"measure": row["measure"], "direction": row["direction"], "models": row["models"]}
        for axis, cell in row["axes"].items():
            counts = f"{cell['groups']} groups, {cell['pairs']} pairs, {cell['ties']} ties"
            line[axis] = page.coefficient(cell["psi"], cell.get("interval"), counts)
        line["Ψ"] = page.coefficient(row["Psi"], row.get("Psi_interval"))
        line["τ"] = page.coefficient(row["tau"], None)
        shown.append(line)
    caption = (
        f"Granulated Kendall coefficient with {selection.target} along each hyperparameter, their mean Ψ, and τ over "
        f"all pairs, times the direction that is expected; {bootstrap.confidence:.0%} intervals below."
    )
    return [page.table(shown), page.paragraph(caption, quiet=True)], notes


def _figures(
    models: "ModelSet",
    swept: "ModelSet",
    every: "RecordSet | None",
    selection: "Selection",
    bootstrap: "Bootstrap",
) -> tuple[list[str], list[str]]:
    """The figures that the records allow, and why the others are not there.

    `swept` are the models with c1 and c3 at every k, `every` the models of every epoch.
    """
    from icc_cli.plots import along_training, k_curves, page, scatter, sites

    goal = selection.target
    colour = scatter.telling(models.table, goal)
    names = scatter.measures_of(models.table, selection)
    found = scatter.rows(models, names, goal, colour, {})
    parts = [page.figure(scatter.draw(found), f"Each measure against {goal}; a point is a model.")]
    missing = []
    others = (
        (k_curves, (swept, goal, bootstrap), "Ψ of c1 and c3 against k, with 95% intervals."),
        (sites, (models,), "Each measure along the depth: mean and standard deviation of the models."),
        (along_training, (every or models,), "The measures and accuracies along training."),
    )
    for figure, arguments, caption in others:
        try:
            rows = figure.rows(*arguments)
        except UsageError as error:
            missing.append(f"No figure “{caption.rstrip('.')}”: {error}")
        else:
            parts.append(page.figure(figure.draw(rows), caption))
    return parts, missing


def _model_rows(models: "ModelSet") -> list[dict[str, Any]]:
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
