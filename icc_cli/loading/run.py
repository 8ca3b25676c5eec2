"""Running a Python file as Python would: as a script, or as a module of its package."""

import ast
import hashlib
import importlib
import importlib.machinery
import importlib.util
import sys
import tokenize
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from icc_cli.errors import IccError, UsageError
from icc_cli.loading.unguarded import trains_on_import
from icc_cli.loading.world import PREFIX, World


@dataclass(frozen=True)
class Run:
    """A module that has been run, and the files that its module is made of."""

    module: ModuleType
    world: World
    files: tuple[Path, ...]
    digest: str


_runs: dict[str, Run] = {}


def module(name: str, what: str) -> Run:
    """An importable module, those of the current folder first."""
    if known := _unchanged(name):
        return known
    world = World([str(Path.cwd())], name)
    with world.entered():
        loaded = _run(lambda: importlib.import_module(name), f"cannot import {name!r} for the {what}")
    own = [Path(loaded.__file__)] if getattr(loaded, "__file__", None) else []
    files = tuple(dict.fromkeys([*world.files(), *own]))
    run = _runs[name] = Run(loaded, world, files, _digest(files))
    return run


def file(path: Path, name: str) -> Run:
    """The module of a file, run once for as long as it and what it imported of the user's do not change."""
    if not path.is_file():
        raise UsageError(f"there is no Python file {path}.")
    tree = _parsed(path)
    if not name:
        raise UsageError(f"{path} is a file, and the name in it is missing.", defines(_names(tree), f"{path}:"))
    path = path.resolve()
    if known := _unchanged(str(path)):
        return known
    line = trains_on_import(tree)
    if line is not None:
        raise UsageError(
            f"{path} trains a network when it is imported (line {line}), and has not been run.",
            'Put that under `if __name__ == "__main__":`, or what is needed into a file of its own.',
        )
    loaded, world = _as_python_would(path, tree)
    run = _runs[str(path)] = Run(loaded, world, world.files(), _digest(world.files()))
    return run


def _unchanged(key: str) -> Run | None:
    """The run of a file or module, unless one of its files has changed since."""
    known = _runs.get(key)
    return known if known is not None and known.digest == _digest(known.files) else None


def _as_python_would(path: Path, tree: ast.Module) -> tuple[ModuleType, World]:
    """Run a file as `python file.py` would, or, when it has relative imports, as a module of its package."""
    root = _package_root(path, tree)
    folders = dict.fromkeys([path.parent, *([root.parent] if root else []), Path.cwd()])
    world = World([*map(str, folders)], str(path))
    private = PREFIX + hashlib.sha256(str(path).encode()).hexdigest()[:12]
    with world.entered():
        name = private
        if root is not None:
            parents = ".".join([private, *path.parent.relative_to(root).parts])
            _run(lambda: _package(private, root, parents), f"the package {root} cannot be imported", path)
            name = f"{parents}.{path.stem}"
        if name in sys.modules:  # the package's own __init__.py has imported it
            return sys.modules[name], world
        specification = importlib.util.spec_from_file_location(name, path)
        assert specification is not None
        module = sys.modules[name] = importlib.util.module_from_spec(specification)
        code = compile(tree, str(path), "exec", dont_inherit=True)
        _run(lambda: exec(code, module.__dict__), f"{path} cannot be run", path)
    return module, world


def _package_root(path: Path, tree: ast.Module) -> Path | None:
    """The topmost folder of the file's package, when it has relative imports."""
    levels = [node.level for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.level]
    if not levels:
        return None
    root, depth = path.parent, 1
    while depth < max(levels) or ((root / "__init__.py").is_file() and (root.parent / "__init__.py").is_file()):
        root, depth = root.parent, depth + 1
    return root


def _package(name: str, root: Path, inner: str) -> None:
    """Import the folder `root` as the package `name`, then its package `inner`; their `__init__.py` are run."""
    start = root / "__init__.py"
    specification = importlib.machinery.ModuleSpec(name, None, is_package=True)
    if start.is_file():
        specification = importlib.util.spec_from_file_location(name, start) or specification
    specification.submodule_search_locations = [str(root)]
    module = sys.modules[name] = importlib.util.module_from_spec(specification)
    if specification.loader is not None:
        specification.loader.exec_module(module)
    importlib.import_module(inner)


def _parsed(path: Path) -> ast.Module:
    try:
        with tokenize.open(path) as stream:
            return ast.parse(stream.read(), str(path))
    except (SyntaxError, ValueError, OSError, RecursionError) as error:
        line = f" (line {error.lineno})" if isinstance(error, SyntaxError) and error.lineno else ""
        raise UsageError(f"{path} is not valid Python: {reason(error)}{line}.") from error


def _run(work: Callable[[], Any], failed: str, path: Path | None = None) -> Any:
    """What `work` returns; UsageError for anything that the user's code raises, an exit included."""
    try:
        return work()
    except IccError:
        raise
    except SystemExit as error:
        raise UsageError(
            f"{failed}: it ends Python on import (exit {error.code}).",
            "If it parses a command line, it has to work without arguments.",
        ) from error
    except Exception as error:
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
        where = f" (line {lines[-1]})" if lines else ""
        raise UsageError(f"{failed}: {reason(error)}{where}.") from error


def reason(error: BaseException) -> str:
    """The first line of what an exception says, or its name when it says nothing."""
    text = str(error).strip()
    return text.splitlines()[0].rstrip(".") if text else type(error).__name__


def _digest(files: Sequence[Path]) -> str:
    """sha256 over the contents of `files`, whatever they are called and wherever they lie."""
    contents = sorted(hashlib.sha256(file.read_bytes()).digest() for file in files if file.is_file())
    return hashlib.sha256(b"".join(contents)).hexdigest()


def _names(tree: ast.Module) -> list[str]:
    return [node.name for node in tree.body if isinstance(node, ast.ClassDef | ast.FunctionDef)]


def defines(names: list[str], before: str) -> str:
    """A sentence on what a file defines, for hints."""
    return f"It defines {', '.join(before + name for name in names[:10])}." if names else ""
