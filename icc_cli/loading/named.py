"""From a text to the Python object that it names."""

import importlib.metadata
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from types import ModuleType
from typing import Any

from icc_cli.errors import UsageError
from icc_cli.loading import run
from icc_cli.loading.world import Inside, World


@dataclass(frozen=True)
class Named:
    """What a text names, and where it comes from."""

    text: str
    value: Any
    digest: str
    """sha256 over the content of its file and of the user's own files that it imported; for content keys."""
    world: World

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """Call the value as its own program would: its folder on the path, no arguments, prints to stderr.

        Raises what it raises, and UsageError when it ends Python.
        """
        return Inside(self.world, self.value)(*args, **kwargs)


def named(text: str, what: str, group: str = "") -> Named:
    """The object that `text` names, as a `what` ("model", "measure", ...).

    A text without a colon is looked up among the entry points of `group`. Raises UsageError when there is no such
    file, module or name, when the file cannot be run, or when it would train a network on import.
    """
    source, colon, name = text.rpartition(":")
    if not colon and group and not text.endswith(".py"):
        return _entry_point(text, what, group)
    if not colon and text.endswith(".py"):
        source, name = text, ""
    elif not source or not name:
        raise UsageError(
            f"{text!r} names no {what}.", "Expected path/to/file.py:NAME or package.module:NAME.", _installed(group)
        )
    found = run.file(Path(source), name) if source.endswith(".py") else run.module(source, what)
    try:
        value = attrgetter(name)(found.module)
    except AttributeError as error:
        raise UsageError(f"{source} has no {name!r} for the {what}.", _defined(found.module)) from error
    return Named(text, value, found.digest, found.world)


def _entry_point(name: str, what: str, group: str) -> Named:
    for point in importlib.metadata.entry_points(group=group, name=name):
        return named(f"{point.module}:{point.attr}", what)
    raise UsageError(
        f"unknown {what} {name!r}.", "Name one, or path/to/file.py:NAME or package.module:NAME.", _installed(group)
    )


def _installed(group: str) -> list[str]:
    return sorted(importlib.metadata.entry_points(group=group).names) if group else []


def _defined(module: ModuleType) -> str:
    own = [name for name, item in vars(module).items() if getattr(item, "__module__", None) == module.__name__]
    return run.defines([name for name in own if not name.startswith("_")], "")
