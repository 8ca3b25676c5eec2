"""What a program of the user's sees while it runs inside icc, and what is put back afterwards."""

import contextlib
import importlib
import site
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

PREFIX = "_icc_named_"
"""Begins the private names under which files are modules, so that they meet no installed package."""


@dataclass(frozen=True)
class World:
    """What a program of the user's sees: the first entries of its path, its name, and its own modules."""

    path: tuple[str, ...]
    program: str
    modules: dict[str, ModuleType] = field(default_factory=dict)

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        """Run as that program would; path, arguments and bytecode setting are put back, and its modules kept apart.

        They stay importable until another program's take their place: two folders may each have a `utils.py`.
        """
        for name, module in _present.items():
            if sys.modules.get(name) is module:
                del sys.modules[name]
        sys.modules.update(self.modules)
        known = set(sys.modules)
        path, argv, bytecode = list(sys.path), sys.argv, sys.dont_write_bytecode
        sys.path[:0], sys.argv, sys.dont_write_bytecode = self.path, [self.program], True
        importlib.invalidate_caches()
        try:
            with contextlib.redirect_stdout(sys.stderr):
                yield
        finally:
            sys.path[:], sys.argv, sys.dont_write_bytecode = path, argv, bytecode
            new = {name: sys.modules[name] for name in set(sys.modules) - known}
            self.modules.update((name, module) for name, module in new.items() if _is_users(module))
            _present.clear()
            _present.update(self.modules)

    def files(self) -> tuple[Path, ...]:
        """The files of its modules."""
        found = [getattr(module, "__file__", None) for module in self.modules.values()]
        return tuple(sorted({Path(file).resolve() for file in found if file}))


_present: dict[str, ModuleType] = {}


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
