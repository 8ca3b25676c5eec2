"""Sizes that are a lie or a cliff: each ends in a sentence or in a result, within two gigabytes and ten seconds."""

import gzip
import io
import json
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import h5py
import numpy as np
import torch

from tests.faults.files import NET, Good
from tests.faults.forked import holds

NAME = "sizes"
HUGE = 2**37
MEGABYTE = 2**20
SMALL = 256 * MEGABYTE
"""Bytes beside those of the process itself that a command is allowed whose input claims more."""

Try = tuple[str, Callable[[], None]]


def group(name: str) -> str:
    """What a try is counted under: its format."""
    return name.split()[0]


def tries(folder: Path) -> Iterator[Try]:
    """Each try's name, and what raises AssertionError when it does not hold."""
    good = Good(folder)
    for make in (_caches, _checkpoints, _lying, _grids, _records, _arrays):
        yield from make(good)


def _refused(good, file, write, command, code, *words, **how):
    """A file that `write` makes at a path is refused with this code and these words."""
    path = good.fresh() / file
    write(path)
    found = holds(*command, cwd=path.parent, allowed=(code,), **how)
    said = " ".join(found.err.split())
    assert all(word in said for word in words), said[:500]


def _read(good, file, write, *commands, **how):
    """A file that `write` makes at a path is read by every command."""
    path = good.fresh() / file
    write(path)
    for command in commands:
        holds(*command, cwd=path.parent, allowed=(0,), **how)


# caches


def _caches(good: Good) -> Iterator[Try]:
    measure = ("measure", "a.h5", "--k", "3")
    sites, rows = partial(_lie, good, "sites/000/preactivations"), partial(_lie, good, "labels/class")
    yield "cache of 2^37 neurons", partial(_refused, good, "a.h5", sites, measure, 4, "a.h5", "memory")
    yield "cache of 2^37 samples", partial(_refused, good, "a.h5", rows, measure, 4, "a.h5", "memory")
    yield "cache of 2^37 samples, inspected", partial(_refused, good, "a.h5", rows, ("inspect", "a.h5"), 4, "a.h5")
    everything = (*measure, "--measures", "all", "--per-site")
    wide = partial(_site, 20_000, 100)
    yield "cache of 20,000 neurons and 100 samples", partial(_read, good, "a.h5", wide, everything, memory=SMALL)
    wider = partial(_site, 200_000, 40)
    yield "cache of 200,000 neurons and 40 samples", partial(_read, good, "a.h5", wider, everything, memory=4 * SMALL)


def _lie(good, name, path):
    """A cache with an array of 2^37 rows or columns, which takes no room on the disk."""
    good.copies("whole", path.parent)
    (path.parent / "acts.h5").rename(path)
    with h5py.File(path, "r+") as file:
        old = file[name]
        shape = (HUGE,) if old.ndim == 1 else (old.shape[0], HUGE)
        attributes = dict(old.parent.attrs)
        del file[name]
        layout = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        layout.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
        layout.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
        kind = h5py.h5t.NATIVE_INT32 if len(shape) == 1 else h5py.h5t.NATIVE_FLOAT
        h5py.h5d.create(file.id, name.encode(), kind, h5py.h5s.create_simple(shape), dcpl=layout)
        file[name].parent.attrs.update(attributes)


def _site(neurons, samples, path):
    """A cache of one site, which the head takes as well."""
    from icc_cli.cache import HeadWeights, Rows, SiteInfo, new_cache

    values = np.random.default_rng(0).normal(size=(samples, neurons)).astype(np.float32)
    fine = np.sort(np.arange(samples) % 4)
    sites = [SiteInfo("relu", "dense", neurons, 1), SiteInfo("head", "head", neurons, 1)]
    logits = SiteInfo("logits", "logits", 2, 1)
    with new_cache(path, "float32") as writer:
        head = HeadWeights(np.ones((2, neurons), np.float32), np.zeros(2, np.float32))
        writer.create(Rows(np.arange(samples), fine // 2, fine), [*sites, logits], head)
        writer.write(0, [values, np.maximum(values, 0), values[:, :2]])
        writer.finish(fine // 2, {"checkpoint": "a.pt", "weights_sha256": "0" * 64, "metrics": {}}, "key")


# checkpoints


def _checkpoints(good: Good) -> Iterator[Try]:
    inspect = ("inspect", "net.pt")
    one = torch.zeros(MEGABYTE)
    shared = partial(torch.save, {f"layer{number}.weight": one for number in range(20_000)})
    yield "checkpoint of 20,000 names of one storage", partial(_refused, good, "net.pt", shared, inspect, 3, "GiB more")
    twice = partial(torch.save, {f"layer{number}.weight": one for number in range(20)})
    yield "checkpoint of 20 names of one storage", partial(_read, good, "net.pt", twice, inspect, memory=SMALL)
    lists: list = [0] * 10
    for _ in range(20):
        lists = [lists] * 10
    own = partial(torch.save, {**good.checkpoint(), "hparams": {"a": lists}})
    yield (
        "checkpoint of 10^20 values",
        partial(_refused, good, "net.pt", own, inspect, 3, "net.pt", "hparams.a", "values"),
    )
    other = partial(torch.save, {**good.foreign(), "hyper_parameters": {"a": lists, "lr": 0.1}})
    yield "foreign checkpoint of 10^20 values", partial(_read, good, "net.pt", other, inspect)
    yield "checkpoint that unpacks to 256 MB", partial(_refused, good, "net.pt", _bomb, inspect, 3, "compressed")
    yield "checkpoint of 2^37 bytes", partial(_refused, good, "net.pt", _long, inspect, 3, "net.pt")


def _lying(good: Good) -> Iterator[Try]:
    """Arguments of the model that have nothing to do with the weights."""
    billion = 10**9
    lies = {
        **{f"{key} = 10^9": {key: billion} for key in ("num_classes", "base_width", "in_channels")},
        **{f"{key} = 10^9": {key: 1e9} for key in ("width", "depth")},
        "depth = 10^300": {"depth": 1e300},
    }
    image = partial(torch.save, {**good.checkpoint(), "model": {"spec": "vgg", "args": {**NET, "input_size": billion}}})
    look = partial(_refused, good, "net.pt", image, ("inspect", "net.pt"), 2, "net.pt", "memory")
    yield "checkpoint of input_size = 10^9, inspect", look
    data = {**good.checkpoint()["data"], "image_size": billion}
    resized = partial(torch.save, {**good.checkpoint(), "data": data})
    commands = (("inspect", "net.pt"), ("extract", "net.pt"), ("sharpness", "net.pt"), ("measure", "net.pt"))
    for name, args in lies.items():
        lie = partial(torch.save, {**good.checkpoint(), "model": {"spec": "vgg", "args": {**NET, **args}}})
        word = "more than 16,384 tensors" if "depth" in name else "many more than are there"
        for command in commands if "base" in name else commands[:2]:
            do = partial(_refused, good, "net.pt", lie, command, 2, "net.pt", word)
            yield f"checkpoint of {name}, {command[0]}", do
    for command in commands[1:]:
        do = partial(_refused, good, "net.pt", resized, command, 2, "memory", "--image-size")
        yield f"checkpoint of image_size = 10^9, {command[0]}", do
    lists = {"spec": "torchvision:mobilenet_v2", "args": {"inverted_residual_setting": [[6, 16, 1, 1]] * 100_000}}
    of_library = partial(torch.save, {**good.checkpoint(), "model": lists})
    do = partial(_refused, good, "net.pt", of_library, ("inspect", "net.pt"), 2, "net.pt", "tensors")
    yield "checkpoint of an argument of 100,000 lists", do
    wide = partial(_wide, good)
    search = ("sharpness", "net.pt", "--mode", "worst")
    yield (
        "checkpoint whose sharpness does not fit",
        partial(_refused, good, "net.pt", wide, search, 2, "net.pt: the search takes", memory=SMALL),
    )


def _wide(good, path):
    """A checkpoint of 50 MB."""
    from icc_cli.models.spec import ModelSpec, build

    model = {"spec": "vgg", "args": {**NET, "base_width": 120}}
    state = build(ModelSpec(**model)).state_dict()
    torch.save({**good.checkpoint(), "model": model, "state_dict": dict(state)}, path)


def _bomb(path):
    stream = io.BytesIO()
    torch.save({"weight": torch.zeros(2)}, stream)
    with zipfile.ZipFile(stream) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as new:
        for name in old.namelist():
            new.writestr(name, bytes(SMALL) if name.endswith("data/0") else old.read(name))


def _long(path):
    torch.save({"weight": torch.zeros(2)}, path, _use_new_zipfile_serialization=False)
    with path.open("r+b") as stream:
        stream.truncate(HUGE)


# text


def _grids(good: Good) -> Iterator[Try]:
    train = ("train", "--preset", "g.toml", "--list")
    axes = "".join(f"a{number} = {list(range(10))}\n" for number in range(9))
    many = f'[model]\nspec = "vgg"\n[grid]\n{axes}'
    dotted = f'{".".join("a" * 100_000)} = 1\n[model]\nspec = "vgg"\n'
    texts = {"10^9 combinations": (many, "1e+09"), "a key of 100,000 parts": (dotted, "too deep")}
    for name, (text, word) in texts.items():
        write = partial(_write, text)
        yield f"grid of {name}", partial(_refused, good, "g.toml", write, train, 2, "g.toml", word)
    grid = '[data]\nspec = "digits"\n[model]\nspec = "vgg"\n[grid]\n'
    large = {
        "base_width = [1000000000]": "memory",
        "depth = [1e9]": "tensors",
        "width = [1e300]": "memory",
        "base_width = [300, 310, 320]": "3 at once",
    }
    train = ("train", "--preset", "g.toml", "--jobs", "3")
    for name, word in large.items():
        write = partial(_write, grid + name)
        yield f"grid of networks with {name}", partial(_refused, good, "g.toml", write, train, 2, word)


def _write(text, path):
    path.write_text(text)


def _records(good: Good) -> Iterator[Try]:
    records = good.records()
    for place, record in enumerate(records):
        record["hparams"] = {f"h{number}": (7 * number + place * (number % 3)) % 5 for number in range(3000)}
    write = partial(_write, "\n".join(map(json.dumps, records)))
    rank, report = ("rank", "r.jsonl"), ("report", "r.jsonl", "-o", "r.html")
    yield "records of 3,000 hyperparameters", partial(_read, good, "r.jsonl", write, rank, report)
    for command in (rank, report, ("plot", "psi", "r.jsonl", "-o", "f.svg")):
        name = f"records of 2^37 bytes, {command[0]}"
        yield name, partial(_refused, good, "r.jsonl", _sparse, command, 4, "r.jsonl", "memory", memory=SMALL)
    table = ("rank", "t.csv.gz", "--hparams", "a", "--measures", "b", "--target", "c")
    yield (
        "table that unpacks to 4 GB",
        partial(_refused, good, "t.csv.gz", _unpacked, table, 4, "t.csv.gz", memory=SMALL),
    )


def _sparse(path):
    with path.open("wb") as stream:
        stream.truncate(HUGE)


def _unpacked(path):
    path.write_bytes(gzip.compress(b"a,b,c\n1,2,3\n") + 256 * gzip.compress(b"1" * 16 * MEGABYTE, 1))


# arrays


def _arrays(good: Good) -> Iterator[Try]:
    data = ("--data", "npz:d.npz", "--mean", "0.4", "--std", "0.3")
    extract = ("extract", good.plain, "-o", "net.h5", *good.model, *data)
    yield (
        "npz that unpacks to 256 MB",
        partial(_refused, good, "d.npz", _packed, extract, 2, "d.npz", "memory", memory=SMALL // 2),
    )


def _packed(path):
    np.savez_compressed(path, images=np.zeros((SMALL // 64, 8, 8), np.uint8), labels=np.zeros(SMALL // 64, np.uint8))
