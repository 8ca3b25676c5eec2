"""How every figure looks: sizes for print, colours that the colour-blind tell apart, files written whole."""

import contextlib
import io
import os
import re
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import IO, Any

from icc_cli import catalog
from icc_cli.errors import UsageError
from icc_cli.files import write_atomically
from icc_cli.plots.names import cut
from icc_cli.records import Record
from icc_cli.shapes import JsonObject

with contextlib.suppress(ImportError):
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib.cbook import is_math_text
    from matplotlib.figure import Figure
    from matplotlib.mathtext import MathTextParser
    from matplotlib.text import Text

WIDTH = 7.0
"""Inches: the text width of a page with one column."""
CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")
LONGEST_LINE = 120
FORMATS = (".pdf", ".svg", ".png")
PIXELS_PER_INCH = 300
# Okabe & Ito (2008), without their yellow, which is too pale for lines on white.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
SEQUENTIAL = "viridis"
GREY = "#777777"
KEY_WIDTH = 120
"""Letters beside each other in a key."""
PRIME = "\N{PRIME}"
RC: dict[Any, Any] = {
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 7,
    "legend.title_fontsize": 7,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "lines.linewidth": 1.3,
    "axes.grid": True,
    "grid.linewidth": 0.4,
    "grid.color": "#DDDDDD",
    "axes.axisbelow": True,
    "pdf.fonttype": 42,
    "svg.fonttype": "none",
    "svg.hashsalt": "icc",
}
LABELS = {
    "test_accuracy": "test accuracy",
    "train_accuracy": "training accuracy",
    "generalization_gap": "generalization gap",
}

Row = JsonObject


@dataclass(frozen=True)
class Mark:
    """A point of a figure, in the data coordinates of its axes, what it says when it is pointed at, and which model or
    run it is `of`: on a page, all marks of one are lit together."""

    axes: Any
    x: float
    y: float
    text: str
    of: str = ""


def of_model(models: str, checkpoint: str) -> str:
    """What marks and rows of one model share: its set and its name."""
    return f"{models}/{checkpoint}"


@dataclass
class Drawing:
    """A figure, and its marks."""

    figure: "Figure"
    marks: list[Mark] = field(default_factory=list)

    def save(self, path: Path) -> None:
        """Write the figure to `path`, complete or not at all, in the format of its suffix."""
        stamp = {"Creator": "icc"} | ({"Date": None} if path.suffix == ".svg" else {})
        if path.suffix == ".png":
            stamp = {"Software": "icc"}
        drawn = io.BytesIO()
        self.render(drawn, format=path.suffix[1:], dpi=PIXELS_PER_INCH, metadata=stamp)
        write_atomically(path, drawn.getvalue())

    def render(self, into: IO[Any], **how: Any) -> None:
        """Draw the figure, as `savefig`. Of names, a letter that no font has is an empty box, and what is very long is
        cut."""
        for text in self.figure.findobj(Text):
            text.set_text(drawable(text.get_text()))
        with matplotlib.rc_context(RC), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Glyph |constrained_layout", UserWarning)
            self.figure.savefig(into, **how)


@cache
def drawable(text: str) -> str:
    """A text without control characters but line feeds, without what makes a line too long for any figure, and with
    plain dollars where these enclose what is no mathematics."""
    return "\n".join(map(_line, CONTROL.sub(" ", text).split("\n")))


def _line(line: str) -> str:
    line = line if len(line) <= LONGEST_LINE else f"{line[:LONGEST_LINE]}…"
    try:
        if is_math_text(line):
            MathTextParser("path").parse(line)
    except ValueError:
        return line.replace("$", r"\$")
    return line


def require() -> None:
    """UsageError when matplotlib is not there."""
    if "matplotlib" not in globals():
        raise UsageError("figures need matplotlib, which is not installed.", "Run `pip install 'icc-cli[plot]'`.")


@contextlib.contextmanager
def panels(rows: int, columns: int, height: float, **share: Any) -> Iterator[tuple["Figure", Any]]:
    """A figure of the page's width with (rows, columns) axes, each `height` inches high, to be drawn in the block."""
    require()
    os.environ.setdefault("SOURCE_DATE_EPOCH", "0")  # the same numbers give the same file
    with matplotlib.rc_context(RC):
        width = WIDTH * min(1.0, max(columns, 2) / 3) if columns < 3 else WIDTH
        figure = Figure(figsize=(width, height * rows + 0.5), layout="constrained")
        yield figure, figure.subplots(rows, columns, squeeze=False, **share)


def label(name: str, symbol: str = "") -> str:
    """What a figure calls a column: c_1 for c1, and its settings behind it.

    `symbol` is what the records say of a measure that the catalog does not have. Primes become U+2032: matplotlib takes
    that of its mathematics from another font, where it is a 0.
    """
    base, at, settings = name.partition(catalog.VARIANT)
    base, settings = drawable(cut(base)), drawable(cut(settings))
    about = catalog.find(base)
    shown = about.symbol if about else symbol
    shown = shown.replace("'", PRIME) or LABELS.get(base, base.replace("_", " "))
    return f"{shown} ({settings})" if at else shown


def symbols_of(records: Iterable[Record]) -> dict[str, str]:
    """The measures of some records in order of appearance, each with its symbol, empty for none."""
    found: dict[str, str] = {}
    for record in records:
        for name in record.measures:
            about = record.about(name)
            found[name] = found.get(name) or (about.symbol if about else "")
    return found


def rounded(value: float | None, digits: int = 2) -> str:
    """A coefficient as papers print it: .47, −.05, 1.00; a dash for None."""
    if value is None:
        return "–"
    text = f"{abs(value):.{digits}f}"
    return ("−" if value < 0 and float(text) else "") + (text[1:] if text.startswith("0.") else text)


@dataclass(frozen=True)
class Levels:
    """A colour and a marker for each level of a hyperparameter, in order; a colour bar for many numbers."""

    name: str
    values: tuple[Any, ...]

    @classmethod
    def of(cls, name: str, values: Sequence[Any]) -> "Levels":
        distinct = list(dict.fromkeys(values))
        numeric = all(isinstance(value, int | float) and not isinstance(value, bool) for value in distinct)
        return cls(name, tuple(sorted(distinct) if numeric else sorted(distinct, key=str)))

    @property
    def numeric(self) -> bool:
        return all(isinstance(value, int | float) and not isinstance(value, bool) for value in self.values)

    @property
    def continuous(self) -> bool:
        """Whether there are more numbers than a legend can list."""
        return self.numeric and len(self.values) > len(COLOURS)

    def colour(self, value: Any) -> Any:
        place = self.values.index(value)
        if not self.numeric:
            return COLOURS[place % len(COLOURS)]
        if self.continuous:
            low, high = self.values[0], self.values[-1]
            return matplotlib.colormaps[SEQUENTIAL](0.95 * (value - low) / (high - low))
        return matplotlib.colormaps[SEQUENTIAL](0.9 * place / max(1, len(self.values) - 1))

    def marker(self, value: Any) -> str:
        return "o" if self.continuous else MARKERS[self.values.index(value) % len(MARKERS)]

    def key(self, figure: "Figure", axes: Any) -> None:
        """Say below the panels what the colours stand for."""
        from matplotlib.cm import ScalarMappable
        from matplotlib.lines import Line2D

        if self.continuous:
            scale = matplotlib.colors.Normalize(
                self.values[0], self.values[-1] + 0.05 * (self.values[-1] - self.values[0])
            )
            bar = figure.colorbar(ScalarMappable(scale, SEQUENTIAL), ax=axes, aspect=40, shrink=0.6, location="bottom")
            bar.set_label(label(self.name))
            return
        shown = self.values[: len(COLOURS) * 2]
        texts = [level_text(value) for value in shown]
        handles = [
            Line2D([], [], marker=self.marker(v), color=self.colour(v), ls="", ms=4, label=text)
            for v, text in zip(shown, texts, strict=True)
        ]
        columns = min(len(handles), len(COLOURS), max(1, KEY_WIDTH // (5 + max(map(len, texts)))))
        figure.legend(handles=handles, title=label(self.name), loc="outside lower center", ncols=columns)


def level_text(value: Any) -> str:
    """A hyperparameter's value as a legend shows it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
