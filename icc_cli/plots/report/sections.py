"""The parts of the report that one set of models gives: tables and words."""

from collections.abc import Sequence

from icc_cli.plots.names import short
from icc_cli.plots.report import page, words
from icc_cli.plots.report.page import Cell, Line
from icc_cli.plots.style import of_model, rounded
from icc_cli.ranking.cells import lines, probability
from icc_cli.ranking.names import listed
from icc_cli.ranking.order import order
from icc_cli.ranking.result import Part
from icc_cli.ranking.rows import Row
from icc_cli.ranking.scores import kendall
from icc_cli.ranking.sources.sets import ModelSet
from icc_cli.ranking.study import Study

LONG = 40
"""Letters of a name above which the summary shows what tells it from the others."""
READING = (
    "A model's place by a measure is where the measure's value puts it, 1 for the one that should generalize best; "
    "its mean place is over the measures named.",
    "ψ of a hyperparameter says how well a measure orders models that differ in that hyperparameter alone: 1 for the "
    "target's order, 0 for none, −1 for the reverse. Ψ is the mean over the hyperparameters, τ is over all pairs of "
    "models. All are times the direction that is expected of the measure.",
    "Lines and numbers under a coefficient are its 95 % interval: of Ψ across studies (what another grid would give), "
    "of ψ within the grid (what the same grid, trained again, would give). p is of Ψ = 0; Holm's is adjusted for the "
    "number of measures. Controls are what any measure has to beat.",
    "Columns sort when their heads are clicked. Filters take words and comparisons (adam width=1.5 "
    "test_accuracy>.4). A model that is pointed at is lit wherever it is; a click holds it, Escape lets go.",
)
"""How to read the page."""


def summary(name: str, study: Study, ranked: Part | None) -> tuple[str, list[str]]:
    """The models in their predicted order beside the measures, with what follows from both; and the order's notes.

    `name` is the set's, `study` holds every model of it; `ranked` is the Kendall table, None where the measures cannot
    be ranked.
    """
    part = order(study)
    models = [page.heading("The models, the one predicted to generalize best first", 3), _order(name, part)]
    models += [page.paragraph(" ".join((f"{part.title}.", *part.said)), quiet=True)]
    if ranked is None or not ranked.rows:
        return "".join(models), [*part.notes]
    measures = [page.heading("The measures, by how well they order the models", 3), _measures(ranked.rows)]
    measures += [page.paragraph(_found(ranked.rows, study.target), quiet=True)]
    return page.beside(models, measures), [*part.notes]


def ranking(study: Study) -> Part:
    """The Kendall table that the page shows."""
    return kendall.score(study, kendall.Options())


def along_axes(part: Part) -> list[str]:
    """psi of each measure along each hyperparameter; nothing where none varies alone."""
    shown = []
    for row in part.rows:
        if not row["models"] or not row["axes"]:
            continue
        line = {"measure": _name(row), "Ψ": page.coefficient(row["Psi"], row["Psi_interval"])}
        for axis, cell in row["axes"].items():
            counts = f"{cell['groups']} groups, {cell['pairs']} pairs, {cell['ties']} ties"
            line[axis] = page.coefficient(cell["psi"], cell.get("interval"), counts)
        shown.append(Line(line, control=bool(row.get("control"))))
    if not shown:
        return []
    return [
        page.heading("Along each hyperparameter", 3),
        page.table(shown),
        page.paragraph(f"{part.title}, which stand below the values.", quiet=True),
    ]


def every_model(models: ModelSet) -> str:
    """A row for each model: its hyperparameters, measures and metrics."""
    table = models.table
    shown = [
        Line(
            {
                "checkpoint": name,
                **{key: values[i] for key, values in table.hparams.items()},
                **{key: _defined(float(table.column(key)[i])) for key in table.columns},
            },
            of_model(models.name, name),
        )
        for i, name in enumerate(table.names)
    ]
    return page.folded(f"All {len(table)} models, with their hyperparameters and values", page.table(shown))


def was_run(models: ModelSet) -> str:
    """What the records say of how they came to be."""
    first = {record.weights_sha256: record for record in reversed(models.records)}
    facts = [*words.model([one.model for one in first.values()]), *words.data(models.records[0].data)]
    facts += words.settings([record.settings for record in models.records])
    for name, levels in models.table.hparams.items():
        if len(set(map(str, levels))) > 1:
            facts.append((f"{name.replace('_', ' ')} varies", words.counted(levels)))
    made_by = list(dict.fromkeys(record.generated_by for record in models.records if record.generated_by))
    if made_by:
        facts.append(("measured by", ", ".join(made_by)))
    return page.facts(facts)


def _order(name: str, part: Part) -> str:
    names = [row["checkpoint"] for row in part.rows]
    shown = short(names) if max(map(len, names)) > LONG else names
    return page.table(
        [
            Line({**line.head, "checkpoint": Cell(text, hint=full)}, of_model(name, full))
            for full, text, line in zip(names, shown, lines(part.rows), strict=True)
        ]
    )


def _measures(rows: Sequence[Row]) -> str:
    """The highest Psi first, controls last."""
    shown = []
    most = max(row["models"] for row in rows)
    for row in sorted(rows, key=lambda row: (bool(row.get("control")), -(row["Psi"] or 0.0))):
        if not row["models"]:
            continue
        line: dict[str, object] = {"measure": _name(row, row["models"] if row["models"] < most else None)}
        if row["Psi"] is not None:
            low, high = row["Psi_interval"] or (row["Psi"], row["Psi"])
            line["Ψ"] = page.coefficient(row["Psi"], row["Psi_interval"])
            line["−1 to 1"] = Cell("", value=row["Psi"], bar=(row["Psi"], low, high))
            line["p"] = probability(row["p"])
            line["p (Holm)"] = probability(row["p_holm"])
        line["τ"] = Cell(rounded(row["tau"]), value=row["tau"])
        shown.append(Line(line, control=bool(row.get("control"))))
    return page.table(shown)


def _name(row: Row, models: int | None = None) -> Cell:
    """A measure, what is expected of it, and how many models have it, where that is to be said."""
    way = "larger" if row["direction"] > 0 else "smaller"
    said = [f"{way} is better"] if not row.get("sign") else [f"{way} taken as better"]
    said = ["control"] * bool(row.get("control")) + said + ([] if models is None else [f"{models} models"])
    return Cell(row["measure"], ", ".join(said))


def _found(rows: Sequence[Row], target: str) -> str:
    """What the coefficients amount to, in a sentence or two."""
    ours = [row for row in rows if row["models"] and not row.get("control")]
    with_psi = [row for row in ours if row["Psi"] is not None]
    if not with_psi:
        return f"No hyperparameter varies alone, so that there is τ with {target} over all pairs and no Ψ."
    best = max(with_psi, key=lambda row: row["Psi"])
    sure = [row["measure"] for row in with_psi if row["Psi_interval"] and row["Psi_interval"][0] > 0]
    after = [
        row["measure"] for row in with_psi if row["p_holm"] is not None and row["p_holm"] < 0.05 and row["Psi"] > 0
    ]
    text = f"Highest Ψ with {target}: {best['measure']}, {rounded(best['Psi'])}. "
    if not any(row["Psi_interval"] for row in with_psi):
        return text + "One hyperparameter alone gives no intervals across studies."
    if not sure:
        return text + "No measure's interval lies above 0: another study might find the reverse."
    text += f"Above 0 with its whole interval: {listed(sure)}; "
    return text + ("after Holm's correction, none." if not after else f"after Holm's correction, {listed(after)}.")


def _defined(value: float) -> float | None:
    return None if value != value else value
