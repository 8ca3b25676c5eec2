"""The forms in which data sets ship their hierarchies, each read as rows of columns or as a graph of parents."""

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from icc_cli.errors import UsageError
from icc_cli.files import check_there
from icc_cli.shapes import parsed, plain, require

HINT = (
    "Expected columns (subclass and class, or more, with or without a header), lines `parent child`, paths a/b/c, an "
    "indented tree, or JSON."
)
NAMES = "names:"
"""Begins `--hierarchy names:SEPARATOR`: the classes stand in the labels' own names."""
SEPARATORS = ("/", " > ", ">", "::", "|")
GLYPHS = re.compile(r"^(?:[\s│├└─┬|`]|[*+-]\s|[+-]{2,})*")
"""What stands before a name in an indented tree: blanks, bullets, lines."""

Node = tuple[str, ...]


@dataclass(frozen=True)
class Rows:
    """Lines of columns; whether the first is a header is told when the labels are known."""

    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Graph:
    """(child, parent) pairs of nodes, each known by its path from the root, of which the last part is its name."""

    edges: tuple[tuple[Node, Node], ...]


@dataclass(frozen=True)
class InNames:
    """The separator between the parts of the labels' own names, coarse to fine."""

    separator: str


Form = Rows | Graph | InNames


def read_form(text: str) -> Form:
    """The hierarchy that `--hierarchy` names. UsageError for a file that is of no known form."""
    if text.startswith(NAMES) and len(text) > len(NAMES):
        return InNames(text.removeprefix(NAMES))
    path = Path(text)
    check_there(path, pipes=True)
    try:
        content = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read the hierarchy {path}: {error}.") from error
    form = _json(content, path) if content.lstrip()[:1] in ("{", "[") else _lines(content)
    if form is None or not (form.rows if isinstance(form, Rows) else form.edges):
        raise UsageError(f"the hierarchy {path} has an unknown form, or is empty.", HINT)
    return form


def below(chain: Sequence[str]) -> Iterator[tuple[Node, Node]]:
    """The edges of a path from the root to a leaf."""
    for end in range(2, len(chain) + 1):
        yield tuple(chain[:end]), tuple(chain[: end - 1])


def _lines(content: str) -> Rows | Graph | None:
    lines = [line.rstrip() for line in content.splitlines() if line.strip() and not line.startswith("#")]
    if not lines:
        return None
    indents = [_indent(line) for line in lines]
    if indents[0] == min(indents) < max(indents):
        return _tree(lines)
    for delimiter in ("\t", ",", ";"):
        rows = [tuple(cell.strip() for cell in row) for row in csv.reader(lines, delimiter=delimiter)]
        if len({len(row) for row in rows}) == 1 and len(rows[0]) > 1:
            return Rows(tuple(rows))
    for separator in SEPARATORS:
        chains = [[part.strip() for part in line.split(separator) if part.strip()] for line in lines]
        if all(len(chain) > 1 for chain in chains):
            return Graph(tuple(dict.fromkeys(edge for chain in chains for edge in below(chain))))
    named = [tuple(part.strip().strip("\"'") for part in line.split(": ")) for line in lines]
    if {len(row) for row in named} == {2}:
        return Rows(tuple(named))
    words = [tuple(line.split()) for line in lines]
    return Rows(tuple(words)) if {len(row) for row in words} == {2} else None


def _indent(line: str) -> int:
    match = GLYPHS.match(line.expandtabs(4))
    return match.end() if match else 0


def _tree(lines: Iterable[str]) -> Graph:
    edges = []
    above: list[tuple[int, Node]] = []
    for line in lines:
        indent = _indent(line)
        name = line.expandtabs(4)[indent:].strip().rstrip(":").strip("\"'")
        while above and above[-1][0] >= indent:
            above.pop()
        node = (*(above[-1][1] if above else ()), name)
        if above:
            edges.append((node, above[-1][1]))
        above.append((indent, node))
    return Graph(tuple(edges))


def _json(content: str, path: Path) -> Rows | Graph | None:
    tree = parsed(content, f"the hierarchy {path}", HINT, UsageError)
    require(plain, tree, f"the hierarchy {path}", HINT, UsageError)
    if isinstance(tree, list) and tree and all(isinstance(row, dict) and "children" not in row for row in tree):
        columns = list(tree[0])
        if len(columns) > 1 and all(list(row) == columns for row in tree):
            return Rows((tuple(columns), *(tuple(str(row[name]) for name in columns) for row in tree)))
    if isinstance(tree, list) and tree and all(isinstance(row, list) and len(row) > 1 for row in tree):
        rows = tuple(tuple(map(str, row)) for row in tree)
        return Rows(rows) if len({len(row) for row in rows}) == 1 else None
    if isinstance(tree, dict) and all(isinstance(value, str | int) for value in tree.values()):
        inner = any(str(value) in tree and not str(value).isdecimal() for value in tree.values())
        header = ("child", "parent") if inner else ("subclass", "class")
        return Rows((header, *((str(child), str(parent)) for child, parent in tree.items())))
    chains = list(_chains(tree, ()))
    return Graph(tuple(dict.fromkeys(edge for chain in chains for edge in below(chain))))


def _chains(tree: Any, above: Node) -> Iterator[Node]:
    """The path to each leaf of nested objects, lists, and objects with a name and children."""
    if isinstance(tree, dict) and isinstance(tree.get("children"), list | dict):
        name = next((str(tree[key]) for key in ("name", "label", "id", "title") if key in tree), "")
        here = (*above, name) if name else above
        yield from _chains(tree["children"], here) if tree["children"] else (here,)
    elif isinstance(tree, dict) and "name" in tree and not any(isinstance(v, list | dict) for v in tree.values()):
        yield (*above, str(tree["name"]))
    elif isinstance(tree, dict):
        for name, inner in tree.items():
            yield from _chains(inner, (*above, str(name))) if inner else ((*above, str(name)),)
    elif isinstance(tree, list):
        for item in tree:
            yield from _chains(item, above)
    else:
        yield (*above, str(tree))
