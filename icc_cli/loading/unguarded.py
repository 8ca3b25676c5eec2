"""Whether importing a Python file would train: told from its syntax, before anything runs."""

import ast
from collections.abc import Iterable, Iterator, Sequence

TRAINERS = ("trainer", "learner")
TRAINER_METHODS = ("fit", "train", "fit_one_cycle")
TRAINING_FUNCTIONS = ("train", "train_model", "train_epoch", "train_one_epoch", "fit")


def trains_on_import(tree: ast.Module) -> int | None:
    """The line of a call that trains a network (`loss.backward()`, `trainer.fit(...)`) and runs on import, or None.

    What runs on import is the module's body and the functions of the file that it calls, at any depth. What stands
    under an `if` of the module's own level is passed over: the main guard, and what a setting may leave out.
    """
    functions = {node.name: node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    seen: set[str] = set()
    waiting: list[Sequence[ast.stmt]] = [[node for node in tree.body if not isinstance(node, ast.If)]]
    while waiting:
        for call in _calls(waiting.pop()):
            if _trains(call):
                return call.lineno
            name = _name(call.func)
            if name in functions:
                waiting += [] if name in seen else [functions[name].body]
                seen.add(name)
            elif name in TRAINING_FUNCTIONS and isinstance(call.func, ast.Name):
                return call.lineno
    return None


def _calls(body: Iterable[ast.AST]) -> Iterator[ast.Call]:
    """The calls that run when `body` does: none inside a function or a lambda."""
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.Call):
            yield node
        yield from _calls(ast.iter_child_nodes(node))


def _trains(call: ast.Call) -> bool:
    if not isinstance(call.func, ast.Attribute):
        return False
    if call.func.attr == "backward":
        return True
    of = call.func.value
    owner = _name(of.func if isinstance(of, ast.Call) else of).lower()
    return call.func.attr in TRAINER_METHODS and owner.endswith(TRAINERS)


def _name(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""
