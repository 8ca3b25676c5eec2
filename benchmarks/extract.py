"""`icc extract` against the bare forward loop, torchvision's feature extractor, and thingsvision.

    python benchmarks/extract.py [--images 10000] [--thingsvision PYTHON]

The floor is a program of its own that does the least: imports, images, weights, the forward loop at the settings that
`benchmarks/forward.py` finds the fastest, and the bytes of the cache written after it. torchvision's
`create_feature_extractor` returns the input of each ReLU (by the node before it), which is then pooled and kept in
memory; thingsvision, which cannot be installed beside a recent torch, is run by the PYTHON of an environment of its
own, one pass for each layer as its interface has it. All on the same images, each in a process, start-up included.
"""

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from timing import REPEATS, Row, alternating, command, icc, peak, table

from icc_cli.data import DataSource, load
from icc_cli.extraction import Capture, Extraction, Sites, extract
from icc_cli.extraction.checkpoint import rows_of
from icc_cli.extraction.ordered import SplitSamples
from icc_cli.extraction.sinks import Identity, ordered_cache
from icc_cli.models import ModelSpec, build
from icc_cli.resources import keep_freed_memory

MEAN = STD = (0.5, 0.5, 0.5)
CLASSES = 100
NETWORKS = {
    "wide ResNet 18": ModelSpec("wrn", {"num_classes": CLASSES}),
    "resnet18": ModelSpec("torchvision:resnet18", {"num_classes": CLASSES}),
}


def prepare(folder: Path, name: str, count: int, copies: int = 1) -> None:
    """Random images in data.npz, and checkpoints of a network with random weights in ckpts/."""
    random = np.random.default_rng(0)
    labels = np.sort(np.arange(count) % CLASSES)
    np.savez(
        folder / "data.npz",
        images=random.integers(0, 256, (count, 32, 32, 3), dtype=np.uint8),
        labels=labels // 5,
        sublabels=labels,
    )
    (folder / "ckpts").mkdir()
    for seed in range(copies):
        torch.manual_seed(seed)
        torch.save(build(NETWORKS[name]).state_dict(), folder / "ckpts" / f"{seed}.pt")


def extraction(folder: Path, name: str, target: str = "ckpts", *options: str) -> None:
    icc(*extracting(folder, name, target, *options))


def extracting(folder: Path, name: str, target: str = "ckpts", *options: str) -> tuple[object, ...]:
    """The arguments of `icc` that extract all of `target`."""
    spec = NETWORKS[name]
    arguments = [part for key, value in spec.args.items() for part in ("--model-arg", f"{key}={value}")]
    numbers = ",".join(map(str, MEAN))
    return (
        "extract", folder / target, "-o", folder / "acts", "--force", "-q", "--data", f"npz:{folder / 'data.npz'}",
        "--model", spec.spec, *arguments, "--mean", numbers, "--std", numbers, *options,
    )  # fmt: skip


LOOP = """
import json, sys
import numpy as np, torch
from icc_cli.resources import keep_freed_memory
from icc_cli.models import ModelSpec, build
folder, spec, arguments, precision, size, checkpoints = sys.argv[1:]
keep_freed_memory()
images = np.load(f"{folder}/data.npz")["images"]
network = build(ModelSpec(spec, json.loads(arguments))).to(memory_format=torch.channels_last).eval()
for number in range(int(checkpoints)):
    network.load_state_dict(torch.load(f"{folder}/ckpts/{number}.pt"))
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
        for start in range(0, len(images), 128):
            network((torch.from_numpy(images[start : start + 128]).permute(0, 3, 1, 2).float() / 255 - 0.5) / 0.5)
    with open(f"{folder}/bytes", "wb") as file:
        file.write(bytes(int(size)))
"""

FEATURES = """
import json, sys
import numpy as np, torch
from torchvision.models.feature_extraction import create_feature_extractor, get_graph_node_names
from icc_cli.models import ModelSpec, build
folder, spec, arguments = sys.argv[1:]
network = build(ModelSpec(spec, json.loads(arguments))).eval()
network.load_state_dict(torch.load(f"{folder}/ckpts/0.pt"))
names = get_graph_node_names(network)[1]
before = [names[i - 1] for i, name in enumerate(names) if "relu" in name.rpartition(".")[2]]
extractor = create_feature_extractor(network, return_nodes=before)
images = np.load(f"{folder}/data.npz")["images"]
kept = {name: [] for name in before}
with torch.no_grad():
    for start in range(0, len(images), 128):
        batch = (torch.from_numpy(images[start : start + 128]).permute(0, 3, 1, 2).float() / 255 - 0.5) / 0.5
        for name, value in extractor(batch).items():
            kept[name].append(value.amax((2, 3)).numpy() if value.dim() == 4 else value.numpy())
np.savez(f"{folder}/features.npz", **{name: np.concatenate(parts) for name, parts in kept.items()})
"""

THINGSVISION = """
import sys
import numpy as np, torch, torchvision
from thingsvision import get_extractor_from_model
folder, classes = sys.argv[1], int(sys.argv[2])
network = torchvision.models.resnet18(num_classes=classes)
network.load_state_dict(torch.load(f"{folder}/ckpts/0.pt"))
extractor = get_extractor_from_model(model=network, device="cpu", backend="pt")
images = np.load(f"{folder}/data.npz")["images"]
batches = [(torch.from_numpy(images[i:i + 128]).permute(0, 3, 1, 2).float() / 255 - 0.5) / 0.5
           for i in range(0, len(images), 128)]
for layer in [name for name, _ in network.named_modules() if name.endswith(("bn1", "bn2"))]:
    features = extractor.extract_features(batches=batches, module_name=layer, flatten_acts=False)
    np.save(f"{folder}/{layer}.npy", features.max(axis=(2, 3)))
"""


def rows(count: int, repeats: int, thingsvision: str | None) -> Iterator[Row]:
    for name, spec in NETWORKS.items():
        folder = Path(tempfile.mkdtemp(prefix="icc-bench-"))
        try:
            prepare(folder, name, count)
            extraction(folder, name)
            arguments = (folder, spec.spec, json.dumps(spec.args))

            def ours(precision: str) -> None:
                extraction(folder, name, "ckpts", "--precision", precision)  # noqa: B023

            def memory(precision: str) -> float:
                return peak(*extracting(folder, name, "ckpts", "--precision", precision))  # noqa: B023

            def floor(precision: str) -> None:
                command(sys.executable, "-c", LOOP, *arguments, precision, _bytes(folder), 1)  # noqa: B023

            exact, exact_floor, mixed, mixed_floor, theirs = alternating(
                lambda: ours("float32"),
                lambda: floor("float32"),
                lambda: ours("bfloat16"),
                lambda: floor("bfloat16"),
                lambda: command(sys.executable, "-c", FEATURES, *arguments),  # noqa: B023
                repeats=repeats,
            )
            work = f"{name}, {count:,} images of 32 x 32"
            least, opponent = "forward loop, writing", "create_feature_extractor"
            yield Row("extract", work, exact, least, exact_floor, opponent, theirs, memory("float32"))
            yield Row("extract", f"{work}, --precision bfloat16", mixed, f"{least}, in bfloat16", mixed_floor,
                      f"{opponent} (float32)", theirs, memory("bfloat16"))  # fmt: skip
            if thingsvision and name == "resnet18":
                exact, theirs = alternating(
                    lambda: ours("float32"),
                    lambda: command(thingsvision, "-c", THINGSVISION, folder, CLASSES),  # noqa: B023
                    repeats=repeats,
                )
                yield Row("extract", work, exact, opponent="thingsvision", opponent_seconds=theirs)
        finally:
            shutil.rmtree(folder)


def steady(count: int, repeats: int) -> Iterator[Row]:
    """The extraction alone against the loop alone, in one process, part by part: what start-up leaves."""
    keep_freed_memory()
    for name, spec in NETWORKS.items():
        with tempfile.TemporaryDirectory(prefix="icc-bench-") as temporary:
            folder = Path(temporary)
            prepare(folder, name, count)
            data = load(DataSource(f"npz:{folder / 'data.npz'}"))
            network = build(spec).eval().to(memory_format=torch.channels_last)
            path, rows = folder / "acts.h5", rows_of(data.train)
            samples, cpu = SplitSamples(data.train, MEAN, STD), torch.device("cpu")

            def whole() -> None:
                with ordered_cache(path, "float32", rows) as sink:  # noqa: B023
                    found = extract(network, samples, None, rows, sink, Extraction("cpu"))  # noqa: B023
                    sink.finish(rows, found.predictions, Identity("key"))  # noqa: B023

            whole()
            size = path.stat().st_size

            def loop(around: AbstractContextManager[object]) -> None:
                for start in range(0, count, 128):
                    images = samples.inputs(np.arange(start, min(start + 128, count)), cpu)  # noqa: B023
                    with torch.inference_mode(), around:
                        network(*images.channels_last().positional)  # noqa: B023
                (folder / "bytes").write_bytes(bytes(size))  # noqa: B023

            look = Capture(network)
            with torch.inference_mode(), look:
                network(*samples.inputs(np.arange(2), cpu).positional)
            floor, seen, pooled, written = alternating(
                partial(loop, nullcontext()),
                partial(loop, Capture(network, Sites(exclude=("*",)), look.known)),
                partial(loop, Capture(network, Sites(), look.known)),
                whole,
                repeats=repeats,
            )
            work = f"{name}, {count:,} images of 32 x 32, without start-up"
            for part, seconds in (("calls seen", seen), ("and pooled", pooled), ("all of it", written)):
                yield Row("extract", f"{work}: {part}", seconds, "forward loop, writing", floor)


def _bytes(folder: Path) -> int:
    """The size of one cache."""
    return next((folder / "acts").iterdir()).stat().st_size


def many(count: int, copies: int, repeats: int) -> Iterator[Row]:
    name = "resnet18"
    spec = NETWORKS[name]
    folder = Path(tempfile.mkdtemp(prefix="icc-bench-"))
    try:
        prepare(folder, name, count, copies)
        extraction(folder, name, "ckpts/0.pt")
        loop = (LOOP, folder, spec.spec, json.dumps(spec.args), "float32", _bytes(folder), copies)
        together, least, apart = alternating(
            lambda: extraction(folder, name),
            lambda: command(sys.executable, "-c", *loop),
            lambda: [extraction(folder, name, f"ckpts/{seed}.pt") for seed in range(copies)],
            repeats=repeats,
        )
        yield Row("extract, many", f"{copies} checkpoints of {name}, {count:,} images", together,
                  f"{copies} forward loops in one process", least, "a process per checkpoint", apart)  # fmt: skip
    finally:
        shutil.rmtree(folder)


def main() -> None:
    cli = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    cli.add_argument("--images", type=int, default=10_000)
    cli.add_argument("--repeats", type=int, default=REPEATS)
    cli.add_argument("--thingsvision", metavar="PYTHON")
    arguments = cli.parse_args()
    found = []
    for row in chain(
        steady(arguments.images, arguments.repeats),
        rows(arguments.images, arguments.repeats, arguments.thingsvision),
        many(2000, 20, arguments.repeats),
    ):
        found.append(row)
        print(" | ".join(row.cells()), file=sys.stderr, flush=True)
    print(table(found))


if __name__ == "__main__":
    main()
