"""Who may import whom, and how many parameters a function may have."""

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path

from icc_cli import cli

PACKAGE = Path(__file__).parent.parent / "icc_cli"
PAGE = (PACKAGE.parent / "docs" / "architecture.md").read_text("utf-8")
LAYERS = [line.split() for line in PAGE.partition("```layers\n")[2].partition("```")[0].splitlines()]
"""Each part of the package may import those of the lines above its own, and nothing beside or below it."""
WITHOUT_TERMINAL = {"typer", "rich", "click"}
"""What is imported by the commands alone."""
MOST_PARAMETERS = 7


def modules() -> Iterator[tuple[str, Path, ast.Module]]:
    """The part of the package that each file belongs to, the file, and its syntax tree."""
    for path in sorted(PACKAGE.rglob("*.py")):
        yield path.relative_to(PACKAGE).parts[0].removesuffix(".py"), path, ast.parse(path.read_text("utf-8"))


def imported(tree: ast.Module) -> Iterator[str]:
    """The full names that a file imports, those of functions and of type checking too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_nothing_is_imported_upward():
    rank = {part: number for number, parts in enumerate(LAYERS) for part in parts}
    wrong = []
    for part, path, tree in modules():
        if part == "__init__":
            continue  # which says where each public name is, and imports none of them
        assert part in rank, f"{part} has no place in LAYERS"
        for name in imported(tree):
            package, _, rest = name.partition(".")
            other = rest.partition(".")[0]
            if package == "icc_cli" and other in rank and other != part and rank[other] >= rank[part]:
                wrong.append(f"{path.relative_to(PACKAGE.parent)} imports {other}")
    assert not wrong


def test_only_commands_know_of_a_terminal():
    wrong = [
        f"{path.relative_to(PACKAGE.parent)} imports {name}"
        for part, path, tree in modules()
        for name in imported(tree)
        if part not in ("cli", "__main__") and name.partition(".")[0] in WITHOUT_TERMINAL
    ]
    assert not wrong


def commands() -> set[str]:
    """The functions that typer runs, as `icc_cli/cli/rank.py:rank`."""
    found = [info.callback for name in cli.COMMANDS for info in cli.command(name).registered_commands]
    own = [inspect.unwrap(function) for function in found if function]
    return {f"{function.__module__.replace('.', '/')}.py:{function.__code__.co_name}" for function in own}


def test_no_function_but_a_command_has_many_parameters():
    many = set()
    for _, path, tree in modules():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
                parameters = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
                names = [parameter.arg for parameter in parameters]
                count = len(names) - (names[:1] in (["self"], ["cls"]))
                if count > MOST_PARAMETERS:
                    many.add(f"{path.relative_to(PACKAGE.parent)}:{getattr(node, 'name', 'lambda')}")
    assert not many - commands()
