"""Every field of nested content, in turn one of many values, and the commands that read what is made of it."""

import copy
import json
from collections.abc import Callable, Mapping
from functools import partial

from tests.faults import nasty
from tests.faults.forked import holds

MISSING, ADDED = "missing", "added"
REFUSED = (0, 2, 3, 4)
SOME = 4
"""Of a field more than there should be: every so many of the values."""
MARK = "@@@"

Try = tuple[str, Callable[[], None]]


def places(content, depth=3, most=4, path=()):
    """The paths of the fields of nested mappings and of the first items of lists, `most` of each."""
    inner = content.items() if isinstance(content, Mapping) else enumerate(content) if isinstance(content, list) else ()
    for count, (key, value) in enumerate(inner):
        if len(path) and count >= most:
            break
        yield (*path, key)
        if depth > 1:
            yield from places(value, depth - 1, most, (*path, key))


def changed(content, path, value=None, how=""):
    """A copy of `content` with another value at `path`, without it, or with a field more beside it."""
    content = copy.copy(content)
    if len(path) > 1:
        content[path[0]] = changed(content[path[0]], path[1:], value, how)
    elif how == MISSING:
        del content[path[0]]
    elif how == ADDED and isinstance(content, Mapping):
        content["something"] = value
    else:
        content[path[0]] = value
    return content


def changes(content, values, **limits):
    """(name, changed content) for every field and value."""
    parents = set()
    for path in places(content, **limits):
        shown = ".".join(map(str, path))
        yield f"{shown} is missing", partial(changed, content, path, how=MISSING)
        for name, value in values.items():
            yield f"{shown} = {name}", partial(changed, content, path, value)
        if path[:-1] not in parents and not isinstance(path[-1], int):
            parents.add(path[:-1])
            for name, value in list(values.items())[::SOME]:
                yield f"{'.'.join(map(str, path[:-1]))} + {name}", partial(changed, content, path, value, ADDED)


def commands(path, *chain, allowed=REFUSED, names=(), **how):
    """Run the commands in turn, as long as they succeed; a refusal of what is in a file names it, or one of `names`."""
    for command in chain:
        found = holds(*command, cwd=path.parent, allowed=allowed, **how)
        if found.code in (3, 4):
            said = found.err.replace("\n", " ")
            assert any(name in said for name in names or (path.name,)), (
                f"icc {' '.join(map(str, command))}: the file is not named: {said[:300]}"
            )
        if found.code:
            return


def json_changes(content, values=None, **limits):
    """(name, text) for every field and value of JSON."""
    texts = values or nasty.json_values()
    for change, made in changes(content, {name: f"{MARK}{name}" for name in texts}, **limits):
        yield change, partial(filled, json.dumps, made, change, texts)


def filled(write, made, change, texts):
    """What `write` makes of the changed content, with the value that the change names in the place of its mark."""
    text = write(made())
    for name, value in texts.items():
        if change.endswith((f"= {name}", f"+ {name}")):
            text = text.replace(f'"{MARK}{name}"', value)
    return text
