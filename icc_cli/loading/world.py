"""What a program of the user's sees while it runs inside icc, and what is put back afterwards."""

import contextlib
import importlib
import os
import site
import sys
import sysconfig
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any
from weakref import WeakKeyDictionary

from icc_cli.errors import UsageError

PREFIX = "_icc_named_"
"""Begins the private names under which files are modules, so that they meet no installed package."""


@dataclass(eq=False)
class World:
    """What a program of the user's sees: what its path has before the process' own, its name, and its own modules."""

    path: list[str]
    program: str
    modules: dict[str, ModuleType] = field(default_factory=dict)
    _known: set[str] = field(default_factory=set)

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        """Run as that program would; path, arguments, folder and bytecode setting are put back, and its modules kept
        apart. May be entered inside another.

        Its modules stay importable until another program's take their place: two folders may each have a `utils.py`.
        What it adds to its path stays its own.
        """
        outer, base = _entered[-1] if _entered else (None, list(sys.path))
        if outer is self:
            yield
            return
        path, argv, bytecode, folder = list(sys.path), sys.argv, sys.dont_write_bytecode, _folder()
        if outer is not None:
            outer._keep_new()
        self._show()
        _entered.append((self, base))
        sys.path[:], sys.argv, sys.dont_write_bytecode = [*self.path, *base], [self.program], True
        importlib.invalidate_caches()
        try:
            with contextlib.redirect_stdout(sys.stderr):
                yield
        finally:
            self.path = [entry for entry in dict.fromkeys(sys.path) if entry in self.path or entry not in base]
            sys.path[:], sys.argv, sys.dont_write_bytecode = path, argv, bytecode
            if folder is not None and _folder() != folder:
                os.chdir(folder)
            _entered.pop()
            self._keep_new()
            if outer is not None:
                outer._show()

    def _show(self) -> None:
        """Make this program's modules the ones that are found, and no other program's."""
        for name, module in _shown.items():
            if sys.modules.get(name) is module:
                del sys.modules[name]
        sys.modules.update(self.modules)
        _shown.clear()
        _shown.update(self.modules)
        self._known = set(sys.modules)

    def _keep_new(self) -> None:
        """Know the modules that have been imported since they were shown, where they are the user's."""
        new = {name: sys.modules[name] for name in set(sys.modules) - self._known}
        self.modules.update((name, module) for name, module in new.items() if _is_users(module))
        _shown.update(self.modules)

    def files(self) -> tuple[Path, ...]:
        """The files of its modules."""
        found = [getattr(module, "__file__", None) for module in self.modules.values()]
        return tuple(sorted({Path(file).resolve() for file in found if file}))


@dataclass(frozen=True)
class Inside:
    """A function that runs in its program's world, whoever calls it. UsageError when it ends Python."""

    world: World
    function: Callable[..., Any]

    @property
    def __wrapped__(self) -> Callable[..., Any]:
        return self.function

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        with self.world.entered():
            try:
                return self.function(*args, **kwargs)
            except SystemExit as error:
                raise UsageError(f"{self.world.program} ends Python (exit {error.code}).") from error


def belongs(made: object, world: World) -> None:
    """Remember that `made` is of a user's program, for `world_of`."""
    _worlds[made] = world


def world_of(made: object) -> contextlib.AbstractContextManager[None]:
    """The world of what a user's program has made, to be entered while it runs; nothing for what is not known."""
    world = _worlds.get(made)
    return contextlib.nullcontext() if world is None else world.entered()


_worlds: WeakKeyDictionary[object, World] = WeakKeyDictionary()
_entered: list[tuple[World, list[str]]] = []
"""The worlds that are entered, the inner ones last, and the process' own path."""
_shown: dict[str, ModuleType] = {}


def _folder() -> Path | None:
    """The current folder, unless it has been removed."""
    try:
        return Path.cwd()
    except OSError:
        return None


def _is_users(module: object) -> bool:
    """Whether a module lies in no folder of installed packages, nor in ours."""
    if not isinstance(module, ModuleType):
        return False
    if module.__name__.startswith(PREFIX):
        return True
    file = getattr(module, "__file__", None)
    places = [file] if file else list(getattr(module, "__path__", []))
    paths = [Path(place).resolve() for place in places if Path(place).exists()]
    return bool(paths) and not any(path.is_relative_to(folder) for path in paths for folder in _INSTALLED)


_INSTALLED = [
    Path(__file__).parent.resolve(),
    *{Path(sysconfig.get_path(kind)).resolve() for kind in ("stdlib", "platstdlib", "purelib", "platlib")},
    *(Path(folder).resolve() for folder in site.getsitepackages()),
]
