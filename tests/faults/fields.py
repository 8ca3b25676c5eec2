"""A field of another type than expected: every field of every format that icc reads, in turn one of many values.

python -m tests.faults.fields [WORDS] [--every N]   tries those whose name holds all the words; counts by format
"""

import argparse
import copy
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

import numpy as np
import torch

from tests.faults import nasty
from tests.faults.files import Good
from tests.faults.forked import holds

NAME = "fields"
MISSING, ADDED = "missing", "added"
REFUSED = (0, 2, 3, 4)
SOME = 4
"""Of a field more than there should be: every so many of the values."""

Try = tuple[str, Callable[[], None]]


def group(name: str) -> str:
    """What a try is counted under: its format."""
    return name.split()[0]


def tries(folder: Path) -> Iterator[Try]:
    """Each try's name, which begins with its format, and what raises AssertionError when it does not hold."""
    good = Good(folder)
    for make in FORMATS:
        yield from make(good)


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


def _changes(content, values, **limits):
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


def _commands(path, *commands, allowed=REFUSED, names=(), **how):
    """Run the commands in turn, as long as they succeed; a refusal of what is in a file names it, or one of `names`."""
    for command in commands:
        found = holds(*command, cwd=path.parent, allowed=allowed, **how)
        if found.code in (3, 4):
            said = found.err.replace("\n", " ")
            assert any(name in said for name in names or (path.name,)), (
                f"icc {' '.join(map(str, command))}: the file is not named: {said[:300]}"
            )
        if found.code:
            return


# torch files

CHAIN = (("inspect", "net.pt"), ("extract", "net.pt", "-q"), ("measure", "net.h5", "-q", "-o", "out"))


def _checkpoints(good: Good) -> Iterator[Try]:
    content = good.checkpoint()
    for name, change in _changes(content, nasty.python_values(), most=6):
        yield f"checkpoint {name}", partial(_torch_file, good, change, CHAIN)


def _foreign(good: Good) -> Iterator[Try]:
    content = good.foreign()
    chain = (("inspect", "net.pt"), ("extract", "net.pt", "-q", *good.model, *good.data), CHAIN[2])
    for name, change in _changes(content, nasty.python_values(), most=3):
        yield f"foreign {name}", partial(_torch_file, good, change, chain)


def _torch_file(good, change, chain):
    folder = good.fresh()
    torch.save(change(), folder / "net.pt")
    _commands(folder / "net.pt", *chain)


# caches

MEASURE = ("measure", "acts.h5", "--measures", "paper,outputs", "--k", "3", "-q", "-o", "out.json")
CACHE = (("inspect", "acts.h5"), MEASURE, ("plot", "neurons", "acts.h5", "-q"))


def _caches(good: Good) -> Iterator[Try]:
    for place in good.cache_attributes():
        for name, value in {**nasty.attributes(), MISSING: None}.items():
            yield f"cache {place[0]}@{place[1]} = {name}", partial(_cache_file, good, _attribute, (*place, value, name))
    for place in good.cache_arrays():
        for name, value in {**nasty.arrays(good.count), MISSING: None}.items():
            yield f"cache {place} = {name}", partial(_cache_file, good, _array, (place, value, name))


def _metadata(good: Good) -> Iterator[Try]:
    for version in good.caches:
        content = good.metadata(version)
        for name, text in _json_changes(content, most=2):
            yield (
                f"metadata {version} {name}",
                partial(_cache_file, good, _attribute, ("/", "metadata", text, ""), version),
            )


def _cache_file(good, change, how, version="whole"):
    import h5py

    folder = good.fresh()
    path = good.copies(version, folder)[-1]
    with h5py.File(path, "r+") as file:
        change(file, *how)
    chain = [tuple(path.name if part == "acts.h5" else part for part in command) for command in CACHE]
    _commands(path.with_name(path.name.partition(".")[0]), *chain)


def _attribute(file, place, attribute, value, name):
    if name == MISSING:
        del file[place].attrs[attribute]
    else:
        file[place].attrs[attribute] = value() if callable(value) else value


def _array(file, place, value, name):
    del file[place]
    if name != MISSING:
        file[place] = _stored(value)


def _stored(array):
    """The array as h5py writes it: text of one length, dates and objects in the kinds that HDF5 has."""
    import h5py

    if array.dtype.kind == "U":
        return array.astype(h5py.string_dtype())
    if array.dtype.kind in "Mm":
        return array.astype(np.int64)
    if array.dtype.kind == "O":
        return nasty.lists()
    return array


# text

MARK = "@@@"


def _json_changes(content, values=None, **limits):
    """(name, text) for every field and value of JSON."""
    texts = values or nasty.json_values()
    for change, made in _changes(content, {name: f"{MARK}{name}" for name in texts}, **limits):
        yield change, partial(_filled, json.dumps, made, change, texts)


def _filled(write, made, change, texts):
    """What `write` makes of the changed content, with the value that the change names in the place of its mark."""
    text = write(made())
    for name, value in texts.items():
        if change.endswith((f"= {name}", f"+ {name}")):
            text = text.replace(f'"{MARK}{name}"', value)
    return text


def _records(good: Good) -> Iterator[Try]:
    first, *others = good.records()
    chain = (
        ("inspect", "r.jsonl"),
        ("rank", "r.jsonl"),
        ("plot", "scatter", "r.jsonl", "-o", "f.svg", "-q"),
        ("report", "r.jsonl", "-o", "r.html", "-q"),
    )
    for name, text in _json_changes(first, most=2):
        yield f"record {name}", partial(_record_file, good, text, others, chain)


def _record_file(good, text, others, chain):
    _text_file(good, "r.jsonl", "\n".join([text(), *map(json.dumps, others)]), chain)


def _runs(good: Good) -> Iterator[Try]:
    forms = good.runs()
    for form, (file, content, more) in forms.items():
        chain = (("rank", good.record_file, "--runs", file, "--measures", "c3", *more), ("inspect", "missing"))[:1]
        for name, text in _json_changes(content, depth=3, most=2):
            yield f"runs {form} {name}", partial(_text_file, good, file, text, chain)


def _tables(good: Good) -> Iterator[Try]:
    for form, (header, rows, separator) in good.tables().items():
        ranks = ("rank", "t.csv", "--hparams", "lr,bs", "--target", "gap", "--measures", "m1,m2")
        runs = ("rank", good.record_file, "--runs", "t.csv", "--measures", "c3")
        chains = {"ranked": (ranks,), "runs": (runs,)}
        for use, chain in chains.items():
            for row in (0, 2):
                for column, title in enumerate(header):
                    for name, cell in {**nasty.cells(), MISSING: None}.items():
                        lines = [list(header), *map(list, rows)]
                        if cell is None:
                            del lines[row][column]
                        else:
                            lines[row][column] = cell
                        text = "\n".join(separator.join(line) for line in lines) + "\n"
                        yield (
                            f"table {form} {use} row {row} {title} = {name}",
                            partial(_text_file, good, "t.csv", text, chain),
                        )


def _grids(good: Good) -> Iterator[Try]:
    content = good.grid()
    chain = (
        ("train", "--preset", "g.toml", "--list"),
        good.train,
    )
    texts = nasty.toml_values()
    for change, made in _changes(content, {name: f"{MARK}{name}" for name in texts}, depth=4, most=9):
        text = partial(_filled, good.toml, made, change, texts)
        yield f"grid {change}", partial(_text_file, good, "g.toml", text, chain, (1, *REFUSED))


def _lists(good: Good) -> Iterator[Try]:
    """Smaller files: the index of a checkpoint in parts, tables of models, hierarchies, lists of inputs."""
    for form, (file, content, chain) in good.lists().items():
        for name, text in _json_changes(content, depth=4, most=3):
            yield f"list {form} {name}", partial(_text_file, good, file, text, chain)


def _text_file(good, file, text, chain, allowed=REFUSED):
    folder = good.fresh()
    path = folder / file
    path.parent.mkdir(parents=True, exist_ok=True)
    good.beside(folder, file)
    path.write_bytes((text if isinstance(text, str) else text()).encode(errors="surrogateescape"))
    _commands(path, *chain, allowed=allowed)


# arrays


def _arrays(good: Good) -> Iterator[Try]:
    for form, content in good.arrays().items():
        for place in content:
            for name, value in {**nasty.arrays(good.count), **nasty.stored(good.count), MISSING: None}.items():
                for kind in ("npz", "h5"):
                    yield (
                        f"arrays {kind} {form} {place} = {name}",
                        partial(_array_file, good, kind, content, place, value),
                    )


def _array_file(good, kind, content, place, value):
    import h5py

    folder = good.fresh()
    content = {name: array for name, array in content.items() if name != place}
    content |= {} if value is None else {place: value}
    path = folder / f"d.{kind}"
    if kind == "npz":
        np.savez(path, **content)
    else:
        with h5py.File(path, "w") as file:
            for name, array in content.items():
                file[name] = _stored(array)
    _extracted(good, path)


def _npz(good: Good) -> Iterator[Try]:
    for name, content in good.lying_npz():
        yield f"npz {name}", partial(_npz_file, good, content)


def _npz_file(good, content):
    path = good.fresh() / "d.npz"
    path.write_bytes(content)
    _extracted(good, path)


def _extracted(good, path):
    data = ("--data", f"{path.suffix[1:]}:{path.name}", "--mean", "0.4", "--std", "0.3")
    images = b"images" in path.read_bytes()
    command = ("extract", good.plain, "-q", "-o", "net.h5", *good.model, *(data if images else data[:2]))
    _commands(path, command, names=(path.name, good.plain.name))


# trainings


def _trained(good: Good) -> Iterator[Try]:
    """What a training has left in its folder, finished or diverged or interrupted, before the same command again."""
    path, content = good.trained()
    plain = {key: value for key, value in content.items() if key != "state_dict"}
    for name, change in _changes({**plain, "state_dict": {}}, nasty.python_values(), most=2):
        yield f"trained {name}", partial(_trained_file, good, path.name, change)
    for name, text in _json_changes(plain, depth=2, most=2):
        yield f"trained diverged {name}", partial(_diverged_file, good, path.stem, text)
    state = {"content_key": content["content_key"], "network": content["state_dict"], "optimizer": {}, "progress": {}}
    for name, change in _changes(state, nasty.python_values(), most=1):
        yield f"trained resume {name}", partial(_trained_file, good, f".{path.stem}.resume", change)


def _trained_file(good, name, change):
    folder = good.fresh()
    (folder / "ckpts").mkdir()
    torch.save(change(), folder / "ckpts" / name)
    _train(good, folder)


def _diverged_file(good, stem, text):
    folder = good.fresh()
    (folder / "ckpts").mkdir()
    (folder / "ckpts" / f"{stem}.diverged.json").write_text(text())
    _train(good, folder)


def _train(good, folder):
    (folder / "g.toml").write_text(good.toml(good.grid()))
    holds(*good.train, cwd=folder, allowed=(0, 1, 2))


FORMATS = (
    _checkpoints, _foreign, _caches, _metadata, _records, _runs, _tables, _arrays, _npz, _grids, _lists, _trained,
)  # fmt: skip


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("words", nargs="*", metavar="WORD", help="how a name begins, then what it holds")
    parser.add_argument("--every", type=int, default=1)
    given = parser.parse_args()
    tried, failed = Counter(), Counter()
    with tempfile.TemporaryDirectory() as folder:
        kind, *words = given.words or [""]
        named = (one for one in tries(Path(folder)) if one[0].startswith(kind))
        wanted = (one for one in named if all(word in one[0] for word in words))
        for number, (name, run) in enumerate(wanted):
            if number % given.every:
                continue
            form = name.split()[0]
            tried[form] += 1
            try:
                run()
            except AssertionError as error:
                failed[form] += 1
                print(f"{name[:120]}: {str(error)[:500]}", flush=True)
            except Exception as error:
                print(f"{name[:120]}: NOT TRIED {error!r}"[:300], flush=True)
    for form, count in tried.items():
        print(f"{form}: {failed[form]} of {count} failed", file=sys.stderr)


if __name__ == "__main__":
    main()
