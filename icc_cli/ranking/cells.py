"""The rows of a ranking as short text: two decimals, since a coefficient of a hundred models is known to about .1."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from icc_cli.ranking.rows import Row

IN_HUNDREDTHS = ("cmi", "pgdl")
LEAST_P = 0.001
COUNTS = ("groups", "pairs", "ties")
HEADS = {"direction": "dir", "p_holm": "Holm"}
HIDDEN = ("set", "control", "sign", "interval", "axes", "score", "versus", "pair")
UNSURE = "*"
ACCURACIES = ("test_accuracy", "train_accuracy")
LONGEST_HEAD = 24


@dataclass(frozen=True)
class Line:
    """What a row shows: `head` by column, and the value of each axis; a cell may have several lines."""

    head: dict[str, str]
    axes: dict[str, str]
    control: bool


def lines(rows: Sequence[Row], verbose: bool = False) -> list[Line]:
    """The cells of each row; `verbose` adds groups, pairs and ties below each axis' value."""
    return [Line(_head(row), _axes(row, verbose), bool(row.get("control"))) for row in rows]


def footnotes(rows: Sequence[Row], verbose: bool) -> list[str]:
    """What the signs in the cells mean."""
    notes = unsure(rows)
    if verbose and any("groups" in cell for row in rows for cell in row.get("axes", {}).values()):
        notes.append("below each value: groups / pairs / pairs tied in the measure or the target")
    if any("p_holm" in row for row in rows):
        notes.append("Holm: p adjusted for the number of measures; no control is among them")
    return notes


def unsure(rows: Sequence[Row]) -> list[str]:
    """What the mark at a direction means, where a row has one."""
    return [f"{UNSURE} sign {row['sign']}" for row in rows if row.get("sign")][:1]


def coefficient(value: float | None) -> str:
    """Two decimals without a leading zero: .73, -.05, 1.00; a dash for None."""
    if value is None:
        return "-"
    text = f"{abs(value):.2f}"
    sign = "-" if value < 0 and float(text) else ""
    return sign + (text[1:] if text.startswith("0.") else text)


def with_interval(value: float | None, interval: Sequence[float] | None) -> str:
    """`.73 [.58, .88]`."""
    shown = coefficient(value)
    return shown if interval is None or value is None else f"{shown} {bracketed(interval)}"


def bracketed(interval: Sequence[float] | None) -> str:
    return "-" if interval is None else f"[{coefficient(interval[0])}, {coefficient(interval[1])}]"


def probability(p: float | None) -> str:
    """Three decimals, `<.001` below that."""
    if p is None:
        return "-"
    return f"<{LEAST_P:.3f}"[:1] + ".001" if p < LEAST_P else "1" if p >= 1 else f"{p:.3f}".removeprefix("0")


def significant(value: float | None) -> str:
    """Four digits of a number that is no coefficient."""
    return "-" if value is None else f"{value:.4g}"


def plain(value: Any) -> str:
    """Any other cell."""
    if value is None:
        return "-"
    if isinstance(value, list):
        return " ".join(map(str, value)) or "-"
    return coefficient(value) if isinstance(value, float) else str(value)


def _head(row: Row) -> dict[str, str]:
    if "places" in row:
        return model_cells(row)
    shown = {}
    explained = "measure" not in row
    for name, value in row.items():
        if explained:
            shown[name] = coefficient(value) if name == "tau" else str(value)
        elif name == "values":
            shown |= {one: significant(number) for one, number in zip(of_pair(row["pair"]), value, strict=True)}
        elif name == "better" and value is not None:
            shown[name] = of_pair(row["pair"])[row["pair"].index(value)]
        elif name == "difference" and "pair" in row:
            shown[name] = significant(value)
        elif name in HIDDEN or (name == "given" and "axes" in row):
            continue
        elif name == "direction":
            shown["dir"] = f"{value:+d}" + (UNSURE if row.get("sign") else "")
        elif name in ("p", "p_holm"):
            shown[HEADS.get(name, name)] = probability(value)
        elif name == "Psi_interval":
            shown["interval"] = bracketed(value)
        elif name.endswith("_interval"):
            shown[name.removesuffix("_interval")] += "" if value is None else " " + _scaled_interval(row, value)
        elif name == "value" and value is not None and row.get("score") in IN_HUNDREDTHS:
            shown[name] = f"{100 * value:.2f}"
        else:
            shown[name] = plain(value)
    return shown


def of_pair(names: Sequence[str]) -> Sequence[str]:
    """What heads the columns of two checkpoints: their names, where these are short enough."""
    return names if max(map(len, names)) <= LONGEST_HEAD else ("first", "second")


def model_cells(row: Row) -> dict[str, str]:
    """The cells of a model in the order of the models."""
    shown = {"checkpoint": row["checkpoint"], "place": plain(row["place"])}
    shown["mean"] = "-" if row["mean_place"] is None else f"{row['mean_place']:.1f}"
    shown |= {name: significant(row["metrics"][name]) for name in ACCURACIES if name in row["metrics"]}
    shown |= {name: "-" if place is None else f"{place:g}" for name, place in row["places"].items()}
    return shown | {name: significant(value) for name, value in row["metrics"].items() if name not in ACCURACIES}


def _scaled_interval(row: Row, value: Sequence[float]) -> str:
    if row.get("score") in IN_HUNDREDTHS:
        return f"[{100 * value[0]:.2f}, {100 * value[1]:.2f}]"
    return bracketed(value)


def _axes(row: Row, verbose: bool) -> dict[str, str]:
    shown = {}
    for name, cell in row.get("axes", {}).items():
        value = next(iter(cell.values()))
        text = with_interval(value, cell.get("interval"))
        if verbose and "groups" in cell:
            text += "\n" + " / ".join(str(cell[count]) for count in COUNTS)
        shown[name] = text
    return shown
