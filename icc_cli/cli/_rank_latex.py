"""`icc rank --format latex`: a booktabs table in the manner of the paper's Tables 1 to 3."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from icc_cli import catalog
from icc_cli.cli._tables import Row

# The paper's axes in its order, by the names that `icc train` gives them.
AXES = {
    "lr": "lr",
    "batch_size": "batch",
    "weight_decay": "wd",
    "optimizer": "opt.",
    "dropout": "drop.",
    "augmentation": "augm.",
    "width": "width",
    "depth": "depth",
}
HEADS = {"measure": "", "Psi": "total", "p_holm": "$p$", "p90": "90 \\%"}
# Said once in the comment above the table, or not a number of the paper's tables.
LEFT_OUT = (
    "direction", "sign", "models", "score", "versus", "tau", "environments", "dropped", "control", "interval", "p"
)  # fmt: skip
DENSE, SPARSE = 5, 10
"""So many columns beside the measures fit the text width of an article, with intervals and without."""
HUNDREDTHS = ("cmi", "pgdl")
LETTERS = "αβγδεζηθικλμνξπρστυφχψωΓΔΘΛΞΠΣΦΨΩµ"
COMMANDS = (
    "alpha beta gamma delta varepsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau upsilon varphi chi "
    "psi omega Gamma Delta Theta Lambda Xi Pi Sigma Phi Psi Omega mu"
)
GREEK = {letter: rf"$\{command}$" for letter, command in zip(LETTERS, COMMANDS.split(), strict=True)}
MEASURE_NAMES = ("measure", "given", "versus")
NO_SYMBOLS: Mapping[str, str] = MappingProxyType({})


def latex(rows: Sequence[Row], title: str, symbols: Mapping[str, str] = NO_SYMBOLS) -> str:
    """A tabular environment, which needs the package booktabs, under a comment that says what it holds.

    `symbols` are those of measures that icc does not declare.
    """
    cells = [_cells(row, symbols) for row in rows]
    columns = list(dict.fromkeys(name for row in cells for name in row))
    axes = dict.fromkeys(name for row in rows for name in row.get("axes", ()))
    places = [i for i, name in enumerate(columns) if name in axes]
    ordered = sorted((columns[i] for i in places), key=lambda name: (*AXES, name).index(name))
    for i, name in zip(places, ordered, strict=True):
        columns[i] = name
    measures = {name for row in rows for name in row.get("places", ())}
    heads = [
        AXES[name]
        if name in axes and name in AXES
        else symbol(name, symbols)
        if name in measures
        else HEADS.get(name, escaped(name))
        for name in columns
    ]
    signs = {
        row["measure"]: f"{row['measure']} {row['direction']:+d}"
        + (f" (sign {row['sign']})" if row.get("sign") else "")
        for row in rows
        if "direction" in row and "pair" not in row
    }
    told = [f"% {title}."] if title else []
    told += ["% Values are multiplied by the measure's direction: " + ", ".join(signs.values()) + "."] if signs else []
    told += ["% p is Holm's."] if "p_holm" in columns else []
    dense = any(below for row in cells for _, below in row.values())
    most = DENSE if dense else SPARSE
    first, rest = columns[:1], columns[1:]
    parts = [[*first, *rest[i : i + most]] for i in range(0, max(1, len(rest)), most)]
    names = dict(zip(columns, heads, strict=True))
    controls = [bool(row.get("control")) for row in rows]
    tables = [_tabular(part, names, cells, controls) for part in parts]
    whole = "\n\n\\medskip\n".join(tables)
    size = r"\footnotesize\setlength{\tabcolsep}{3pt}" if dense else r"\setlength{\tabcolsep}{4pt}"
    return "\n".join(
        [*told, r"% Needs \usepackage{booktabs}.", rf"{{{size}\setlength{{\parindent}}{{0pt}}", whole, "}"]
    )


def _tabular(
    columns: Sequence[str],
    heads: dict[str, str],
    cells: Sequence[dict[str, tuple[str, str]]],
    controls: Sequence[bool],
) -> str:
    """One tabular of some columns, intervals below their values, and a rule above the controls."""
    body = []
    for place, found in enumerate(cells):
        if controls[place] and place and not controls[place - 1]:
            body.append(r"\midrule")
        parts = [found.get(name, ("--", "")) for name in columns]
        body.append(" & ".join(value for value, _ in parts) + r" \\")
        if any(below for _, below in parts):
            body.append(" & ".join(below and rf"{{\scriptsize {below}}}" for _, below in parts) + r" \\")
    return "\n".join(
        [
            rf"\begin{{tabular}}{{l{'r' * (len(columns) - 1)}}}",
            r"\toprule",
            " & ".join(heads[name] for name in columns) + r" \\",
            r"\midrule",
            *body,
            r"\bottomrule",
            r"\end{tabular}",
        ]
    )


def escaped(text: str) -> str:
    """`text` as LaTeX prints it."""
    spelled = {"\\": r"\textbackslash{}", "^": r"\^{}", "~": r"\~{}", "|": "$|$", "<": "$<$", ">": "$>$"} | GREEK
    return "".join("\\" + c if c in "&%$#_{}" else spelled.get(c, c) for c in text)


def symbol(measure: str, symbols: Mapping[str, str] = NO_SYMBOLS) -> str:
    """`c3@k=1` as the paper writes it: its symbol, and the settings in parentheses."""
    name, _, settings = measure.partition(catalog.VARIANT)
    about = catalog.find(name)
    return ((about.symbol if about else symbols.get(name)) or escaped(name)) + (
        f" ({escaped(settings)})" if settings else ""
    )


def decimal(value: float) -> str:
    """Two decimals without a leading zero, as the paper prints them: .73, 1.0, $-$.58."""
    text = f"{abs(value):.2f}"
    text = text.removeprefix("0") if text.startswith("0") else text.removesuffix("0") if text == "1.00" else text
    return "$-$" + text if value < 0 and float(text) else text


def _cells(row: Row, symbols: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """For each column the value, and the interval that stands below it."""
    from icc_cli.ranking.cells import model_cells, of_pair, probability, significant

    if "places" in row:
        return {name: (escaped(text) if text != "-" else "--", "") for name, text in model_cells(row).items()}
    if "pair" in row:
        values = [significant(value) for value in (*row["values"], row["difference"])]
        names = of_pair(row["pair"])
        shown = dict(zip((*names, "difference"), values, strict=True))
        shown["better"] = names[row["pair"].index(row["better"])] if row["better"] else "-"
        return {"measure": (symbol(row["measure"], symbols), "")} | {
            name: (escaped(text) if text != "-" else "--", "") for name, text in shown.items()
        }
    cells: dict[str, tuple[str, str]] = {}
    scale = 100 if row.get("score") in HUNDREDTHS else 1
    for name, value in row.items():
        if name == "axes":
            for axis, numbers in value.items():
                cells[axis] = _cell(next(iter(numbers.values())), numbers.get("interval"), 1)
        elif name in MEASURE_NAMES and isinstance(value, str):
            cells[name] = (symbol(value, symbols), "")
        elif name == "p_holm":
            cells[name] = (escaped(probability(value)) if value is not None else "--", "")
        elif not name.endswith("_interval"):
            cells[name] = _cell(value, row.get(f"{name}_interval"), scale if name == "value" else 1)
    held_out = LEFT_OUT if "measure" in row else ()
    return {
        name: cell for name, cell in cells.items() if name not in held_out and not (name == "given" and "axes" in row)
    }


def _cell(value: Any, interval: Any, scale: int) -> tuple[str, str]:
    if value is None:
        return "--", ""
    if isinstance(value, list):
        return escaped(", ".join(map(str, value))) or "--", ""
    if not isinstance(value, float):
        return escaped(str(value)), ""
    below = f"[{decimal(scale * interval[0])}, {decimal(scale * interval[1])}]" if interval else ""
    return decimal(scale * value), below
