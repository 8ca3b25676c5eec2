"""Rewrites the commands in docs/cli.md from the commands themselves: `python docs/make_cli.py`."""

import inspect
import re
import typing
from collections.abc import Callable, Iterator
from enum import Enum
from pathlib import Path
from types import NoneType
from typing import Any

from typer.models import ArgumentInfo, OptionInfo

from icc_cli import cli

PAGE = Path(__file__).parent / "cli.md"
MARKER = "<!-- The rest is made by docs/make_cli.py from the commands. -->\n"
AFTER = {"icc submit": "-- COMMAND ..."}
"""What a command's usage ends in that is no parameter of its own."""


def commands() -> str:
    """A section for each command: how it is called, what it does, and a table of its options."""
    return "\n".join(_section(name, command) for name, command in _commands())


def _commands() -> Iterator[tuple[str, Callable[..., Any]]]:
    for name in cli.COMMANDS:
        for info in cli.command(name).registered_commands:
            if info.callback:
                own = info.callback.__name__
                yield f"icc {name}" if own == name else f"icc {name} {own}", info.callback


def _section(name: str, command: Callable[..., Any]) -> str:
    about = "\n\n".join(" ".join(part.split()) for part in inspect.cleandoc(command.__doc__ or "").split("\n\n"))
    arguments, options = [], []
    defaults = {one.name: one.default for one in inspect.signature(command).parameters.values()}
    for key, hint in typing.get_type_hints(command, include_extras=True).items():
        for info in getattr(hint, "__metadata__", ()):
            if isinstance(info, OptionInfo) and not info.hidden:
                options.append(_option(key, hint.__origin__, info, defaults[key]))
            elif isinstance(info, ArgumentInfo):
                arguments.append(info)
    usage = " ".join([name, "[OPTIONS]", *(str(one.metavar) for one in arguments), AFTER.get(name, "")]).rstrip()
    rows = [_row(f"`{one.metavar}`", "", one.help) for one in arguments] + options
    return f"## {name}\n\n    {usage}\n\n{about}\n\n| | default | |\n|---|---|---|\n" + "\n".join(rows) + "\n"


def _option(key: str, hint: Any, info: OptionInfo, default: object) -> str:
    # The first name of an annotation stands where a default would.
    given = [one for one in (info.default, *(info.param_decls or ())) if isinstance(one, str)]
    given = given or [f"--{key.replace('_', '-')}"]
    names = sorted((part for one in given for part in one.split("/")), key=lambda one: not one.startswith("--"))
    kinds = [one for one in typing.get_args(hint) or (hint,) if one is not NoneType]
    takes = "" if kinds == [bool] else f" {info.metavar or _metavar(kinds[0])}"
    shown = (
        "" if default is inspect.Parameter.empty or default in (None, "", False) else getattr(default, "value", default)
    )
    shown = "on" if shown is True else f"`{shown}`" if shown != "" else ""
    return _row(", ".join(f"`{one}{takes if one.startswith('--') else ''}`" for one in names), shown, info.help)


def _metavar(kind: Any) -> str:
    if isinstance(kind, type) and issubclass(kind, Enum):
        return "|".join(str(each.value) for each in kind)
    return {int: "N", float: "X", Path: "PATH"}.get(kind, "TEXT")


def _row(names: str, default: str, text: str | None) -> str:
    cells = (names, default, re.sub(r"\s+", " ", text or ""))
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


if __name__ == "__main__":
    hand = PAGE.read_text("utf-8").partition(MARKER)[0]
    PAGE.write_text(hand + MARKER + "\n" + commands(), "utf-8")
