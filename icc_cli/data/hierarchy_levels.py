"""The levels of a hierarchy, and the ancestors of a label at each."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from icc_cli.data.hierarchy_forms import Graph, InNames, Node, Rows
from icc_cli.errors import UsageError

CHILDREN = ("subclass", "child", "fine", "fine_label", "sublabel", "hyponym")
PARENTS = ("class", "parent", "coarse", "coarse_label", "superclass", "label", "hypernym")


@dataclass(frozen=True)
class Levels:
    """The names of the levels, coarsest first in a graph, and what is above a label at one of them."""

    names: tuple[str, ...]
    parents: Callable[[str, str], set[str]]
    """(level, label) to the names of its ancestors there: one, where the hierarchy is sound."""

    def divides(self, level: str, labels: Sequence[str]) -> bool:
        """Whether a level gives every label one class, and not all the same."""
        found = [self.parents(level, label) for label in labels]
        return all(len(classes) == 1 for classes in found) and len(set().union(*found)) > 1


def folded(name: str) -> str:
    """A name without the differences between `Aquarium fish`, `aquarium_fish` and `aquarium-fish`."""
    return re.sub(r"[\s_-]+", "_", name.strip().lower())


def of_columns(form: Rows, labels: Sequence[str]) -> Levels:
    """The levels of a table: its columns, by their names or by their numbers from 1. Two columns in which parents are
    themselves children are the edges of a graph."""
    wanted = {folded(label) for label in labels}
    rows, header = _without_header(form.rows, wanted)
    columns = [[row[number] for row in rows] for number in range(len(rows[0]) if rows else 0)]
    leaf = _leaf(columns, header, wanted)
    if len(columns) == 2 and _are_edges(columns, header, leaf, wanted):
        pairs = zip(columns[leaf], columns[1 - leaf], strict=True)
        return of_graph(Graph(tuple(((child,), (parent,)) for child, parent in pairs)))
    names = {(header[n] if header else str(n + 1)): n for n in range(len(columns)) if n != leaf}
    known: dict[str, list[tuple[str, ...]]] = {}
    for row in rows:
        known.setdefault(folded(row[leaf]), []).append(row)

    def parents(level: str, label: str) -> set[str]:
        column = names[level] if level in names else _by_number(level, leaf, len(columns))
        return {row[column] for row in known.get(folded(label), []) if row[column]}

    if len(names) == 1 and not header:
        names = {"1": next(iter(names.values()))}
    return Levels(tuple(names), parents)


def _by_number(level: str, leaf: int, count: int) -> int:
    steps = int(level)
    columns = [number for number in range(count) if number != leaf]
    nearest_first = sorted(columns, key=lambda number: abs(number - leaf))
    if -steps > len(nearest_first):
        raise UsageError(f"the hierarchy has no level {level}: it has {count} columns.")
    return nearest_first[-steps - 1]


def _without_header(
    rows: Sequence[tuple[str, ...]], wanted: set[str]
) -> tuple[list[tuple[str, ...]], tuple[str, ...] | None]:
    """The rows, and the first one apart when it is a header: known words, or cells that stand nowhere below them."""
    first, rest = rows[0], list(rows[1:])
    words = {folded(cell) for cell in first}
    known = words <= {*CHILDREN, *PARENTS} or (words & {*CHILDREN} and words & {*PARENTS})
    alone = all(cell not in {row[number] for row in rest} for number, cell in enumerate(first))
    if rest and (known or (alone and not words & wanted)) and not wanted <= words:
        return rest, first
    return list(rows), None


def _leaf(columns: Sequence[Sequence[str]], header: tuple[str, ...] | None, wanted: set[str]) -> int:
    """The column of the labels: the one that the header names so, else the one that holds most of them, and of two such
    the one that settles the others."""
    words = [folded(cell) for cell in header or ()]
    named = [number for number, word in enumerate(words) if word in CHILDREN]
    if len(named) == 1:
        return named[0]
    held = [len(wanted & {folded(cell) for cell in column}) for column in columns]
    best = [number for number, count in enumerate(held) if count == max(held)]
    settling = [n for n in best if all(_settles(columns[n], other) for other in columns)]
    return (settling or best)[0]


def _settles(column: Sequence[str], other: Sequence[str]) -> bool:
    return len(set(zip(column, other, strict=True))) == len(set(column))


def _are_edges(columns: Sequence[Sequence[str]], header: tuple[str, ...] | None, leaf: int, wanted: set[str]) -> bool:
    words = {folded(cell) for cell in header or ()}
    if {"parent", "child"} <= words or {"hypernym", "hyponym"} <= words:
        return True
    if words & {*CHILDREN}:
        return False
    inner = set(columns[leaf]) & set(columns[1 - leaf])
    return any(folded(name) not in wanted for name in inner)


def of_names(form: InNames, labels: Sequence[str]) -> Levels:
    """The levels in the labels' own names: their parts but the last, from 1."""
    parts = {label: [part for part in label.split(form.separator) if part] for label in labels}

    def parents(level: str, label: str) -> set[str]:
        above = parts[label][:-1]
        number = int(level) - 1 if int(level) > 0 else len(above) + int(level)
        return {above[number]} if 0 <= number < len(above) else set()

    deepest = max((len(found) for found in parts.values()), default=1)
    return Levels(tuple(str(level) for level in range(1, max(2, deepest))), parents)


def of_graph(form: Graph) -> Levels:
    """The levels of a graph: depths from the roots, 1 first; of a label, steps up to a root, -1 first.

    A node that has several parents is at several depths, and may have several ancestors at one. UsageError for a cycle.
    """
    above: dict[Node, set[Node]] = {}
    for child, parent in form.edges:
        above.setdefault(child, set()).add(parent)
        above.setdefault(parent, set())
    depths = _depths(above)
    by_name: dict[str, list[Node]] = {}
    by_fold: dict[str, list[Node]] = {}
    inner = {parent for _, parent in form.edges}
    for node in above:
        by_name.setdefault(node[-1], []).append(node)
        by_fold.setdefault(folded(node[-1]), []).append(node)
    deepest = max((depth for node in above if node not in inner for depth in depths[node]), default=1)
    paths = [node for node in above if len(node) > 1]

    def nodes_of(label: str) -> list[Node]:
        found = by_name.get(label) or by_fold.get(folded(label)) or []
        leaves = [node for node in found if node not in inner]
        return leaves or found

    def parents(level: str, label: str) -> set[str]:
        found: set[Node] = set()
        for node in nodes_of(label):
            if int(level) < 0:
                step = {node}
                for _ in range(-int(level)):
                    step = {parent for item in step for parent in above[item]}
                found |= step
            else:
                found |= {item for item in _ancestors(node, above) if int(level) in depths[item]}
        return {_shown(node, by_name, bool(paths)) for node in found}

    return Levels(tuple(str(level) for level in range(1, max(2, deepest))), parents)


def _shown(node: Node, by_name: dict[str, list[Node]], are_paths: bool) -> str:
    """A node's name, or its path where several nodes of a tree have its name."""
    return "/".join(node) if are_paths and len(by_name[node[-1]]) > 1 else node[-1]


def _ancestors(node: Node, above: dict[Node, set[Node]]) -> set[Node]:
    found: set[Node] = set()
    waiting = list(above[node])
    while waiting:
        item = waiting.pop()
        if item not in found:
            found.add(item)
            waiting += above[item]
    return found


def _depths(above: dict[Node, set[Node]]) -> dict[Node, set[int]]:
    """All distances + 1 of each node from a root, parents before children (Kahn's order)."""
    children: dict[Node, list[Node]] = {}
    for child, parents in above.items():
        for parent in parents:
            children.setdefault(parent, []).append(child)
    missing = {node: len(parents) for node, parents in above.items()}
    ready = [node for node, count in missing.items() if not count]
    depths: dict[Node, set[int]] = {node: {1} for node in ready}
    while ready:
        node = ready.pop()
        for child in children.get(node, []):
            depths.setdefault(child, set()).update(depth + 1 for depth in depths[node])
            missing[child] -= 1
            if not missing[child]:
                ready.append(child)
    if cyclic := [node[-1] for node, count in missing.items() if count]:
        raise UsageError("the hierarchy has a cycle: each of these is above itself.", details=cyclic)
    return depths
