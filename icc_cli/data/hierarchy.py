"""Label hierarchies: subclasses and the classes that they belong to."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from icc_cli.data.dataset import Dataset, Split
from icc_cli.data.hierarchy_forms import Form, Graph, Rows, read_form
from icc_cli.data.hierarchy_levels import Levels, of_columns, of_graph, of_names
from icc_cli.errors import UsageError


@dataclass(frozen=True)
class Hierarchy:
    """A hierarchy as it is written, and the level of it that gives the classes."""

    form: Form
    where: str
    level: str | None = None

    def mapping(self, labels: Sequence[str]) -> dict[str, str]:
        """The class of each label. UsageError when a label has none or several, or when no level is the obvious one."""
        levels = _levels(self.form, labels)
        level = self._chosen(levels, labels)
        parents = {label: levels.parents(level, label) for label in labels}
        for wrong, what in ((0, "no class"), (2, "several classes")):
            lines = [
                f"{label}: {', '.join(sorted(p)) or '-'}" for label, p in parents.items() if min(len(p), 2) == wrong
            ]
            if lines:
                hint = f"Choose another level of {self._outline(levels, labels)}." if len(levels.names) > 1 else ""
                raise UsageError(f"the hierarchy {self.where} gives some labels {what} at level {level}.", hint, lines)
        return {label: parent for label, (parent,) in parents.items()}

    def _chosen(self, levels: Levels, labels: Sequence[str]) -> str:
        if self.level is not None:
            if self.level not in levels.names and not re.fullmatch(r"-[1-9]\d*", self.level):
                raise UsageError(
                    f"the hierarchy {self.where} has no level {self.level!r}.",
                    f"It has {self._outline(levels, labels)}.",
                )
            return self.level
        if len(levels.names) == 1:
            return levels.names[0]
        good = [level for level in levels.names if levels.divides(level, labels)]
        if len(good) != 1:
            raise UsageError(
                f"the hierarchy {self.where} has several levels, or none that gives every label one class.",
                f"Choose with --level, among {self._outline(levels, labels)}; -1 is the one above the labels.",
            )
        return good[0]

    def _outline(self, levels: Levels, labels: Sequence[str]) -> str:
        counts = {level: len({p for label in labels for p in levels.parents(level, label)}) for level in levels.names}
        return ", ".join(f"{level} ({count} classes)" for level, count in counts.items())


def read_hierarchy(text: str | Path, level: str | None = None) -> Hierarchy:
    """What `--hierarchy` and `--level` name. UsageError when it cannot be read."""
    return Hierarchy(read_form(str(text)), str(text), level)


def _levels(form: Form, labels: Sequence[str]) -> Levels:
    if isinstance(form, Rows):
        return of_columns(form, labels)
    if isinstance(form, Graph):
        return of_graph(form)
    return of_names(form, labels)


def with_hierarchy(dataset: Dataset, hierarchy: Mapping[str, str] | Hierarchy) -> Dataset:
    """Make the labels subclasses, and the classes that `hierarchy` gives them the labels.

    Labels are known by their names or, where those are not all in the hierarchy, by their numbers. Classes are
    numbered in the order of their numbers when all are numbers, of their names otherwise.
    """
    present = np.unique(dataset.train.labels)
    if dataset.test is not None:
        present = np.union1d(present, dataset.test.labels)
    names = {int(label): _name(dataset, int(label)) for label in present}
    if isinstance(hierarchy, Hierarchy):
        find: Callable[[Sequence[str]], Mapping[str, str]] = hierarchy.mapping
    else:
        table = hierarchy
        find = lambda labels: _looked_up(table, labels)  # noqa: E731
    try:
        found = find(list(names.values()))
    except UsageError as error:
        numbers = [str(label) for label in names]
        if list(names.values()) == numbers:
            raise
        try:
            by_number = find(numbers)
        except UsageError:
            raise error from None
        found = {names[int(number)]: target for number, target in by_number.items()}
    values = set(found.values())
    classes = sorted(values, key=int) if all(value.isdecimal() for value in values) else sorted(values)
    table_of = np.full(int(present.max()) + 1, -1, np.int64)
    for label, name in names.items():
        table_of[label] = classes.index(found[name])

    def lifted(split: Split) -> Split:
        return Split(split.samples, table_of[split.labels], split.labels)

    return replace(
        dataset,
        train=lifted(dataset.train),
        test=None if dataset.test is None else lifted(dataset.test),
        label_names=tuple(classes),
        sublabel_names=dataset.label_names,
        described={**dataset.described, "hierarchy": found},
    )


def _name(dataset: Dataset, label: int) -> str:
    return dataset.label_names[label] if label < len(dataset.label_names) else str(label)


def _looked_up(table: Mapping[str, str], labels: Sequence[str]) -> dict[str, str]:
    missing = [label for label in labels if label not in table]
    if missing:
        raise UsageError("the hierarchy gives no class for some labels of the data:", details=missing)
    return {label: table[label] for label in labels}
