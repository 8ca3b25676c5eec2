"""`icc extract` against the bare forward loop, torchvision's feature extractor, and thingsvision.

    python benchmarks/extract.py [--images 10000] [--thingsvision PYTHON]

The floor is the forward loop alone over the same batches, as fast as it was found to go here (channels last, inference
mode, float32), and the bytes of the cache written after it. torchvision's `create_feature_extractor` returns the input
of each ReLU (by the node before it), which is then pooled and kept in memory; thingsvision, which cannot be installed
beside a recent torch, is run by the PYTHON of an environment of its own, one pass for each layer as its interface
has it. All on the same images, in processes of their own, start-up and imports included except for the floor.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from timing import REPEATS, Row, alternating, command, icc, table

from icc_cli.models import ModelSpec, build

MEAN = STD = (0.5, 0.5, 0.5)
BATCH = 512
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


def extraction(folder: Path, name: str, target: str = "ckpts") -> float:
    spec = NETWORKS[name]
    arguments = [part for key, value in spec.args.items() for part in ("--model-arg", f"{key}={value}")]
    numbers = ",".join(map(str, MEAN))
    return icc(
        "extract", folder / target, "-o", folder / "acts", "--force", "-q", "--data", f"npz:{folder / 'data.npz'}",
        "--model", spec.spec, *arguments, "--mean", numbers, "--std", numbers,
    )  # fmt: skip


class Loop:
    """The bare forward loop, and the cache's bytes written after it."""

    def __init__(self, folder: Path, name: str) -> None:
        images = np.load(folder / "data.npz")["images"]
        self.batches = [
            ((torch.from_numpy(part).permute(0, 3, 1, 2).float() / 255 - 0.5) / 0.5).contiguous(
                memory_format=torch.channels_last
            )
            for part in np.array_split(images, -(-len(images) // BATCH))
        ]
        self.network = build(NETWORKS[name]).to(memory_format=torch.channels_last).eval()
        self.path = folder / "bytes"
        self.size = sum(path.stat().st_size for path in (folder / "acts").iterdir())

    def forward(self) -> None:
        with torch.inference_mode():
            for batch in self.batches:
                self.network(batch)

    def run(self) -> None:
        self.forward()
        with self.path.open("wb") as file:
            file.write(b"\0" * self.size)


FEATURES = """
import sys, time, numpy as np, torch
sys.path.insert(0, sys.argv[4])
from torchvision.models.feature_extraction import create_feature_extractor, get_graph_node_names
from icc_cli.models import ModelSpec, build
import json
folder, spec, args = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
network = build(ModelSpec(spec, args)).eval()
network.load_state_dict(torch.load(f"{folder}/ckpts/0.pt"))
names = get_graph_node_names(network)[1]
before = [names[i - 1] for i, name in enumerate(names) if "relu" in name.rpartition(".")[2]]
extractor = create_feature_extractor(network, return_nodes=before)
data = np.load(f"{folder}/data.npz")
kept = {name: [] for name in before}
images = data["images"]
with torch.no_grad():
    for start in range(0, len(images), 512):
        batch = (torch.from_numpy(images[start:start + 512]).permute(0, 3, 1, 2).float() / 255 - 0.5) / 0.5
        for name, value in extractor(batch).items():
            kept[name].append(value.amax((2, 3)).numpy() if value.dim() == 4 else value.numpy())
np.savez(f"{folder}/features.npz", **{name: np.concatenate(parts) for name, parts in kept.items()})
"""

THINGSVISION = """
import sys, time, numpy as np, torch, torchvision
from thingsvision import get_extractor_from_model
folder, classes = sys.argv[1], int(sys.argv[2])
network = torchvision.models.resnet18(num_classes=classes)
network.load_state_dict(torch.load(f"{folder}/ckpts/0.pt"))
extractor = get_extractor_from_model(model=network, device="cpu", backend="pt")
images = np.load(f"{folder}/data.npz")["images"]
batches = [(torch.from_numpy(images[i:i + 512]).permute(0, 3, 1, 2).float() / 255 - 0.5) / 0.5
           for i in range(0, len(images), 512)]
layers = [name for name, _ in network.named_modules() if name.endswith(("bn1", "bn2"))]
for layer in layers:
    features = extractor.extract_features(batches=batches, module_name=layer, flatten_acts=False)
    np.save(f"{folder}/{layer}.npy", features.max(axis=(2, 3)))
"""


def rows(count: int, repeats: int, thingsvision: str | None) -> Iterator[Row]:
    for name, spec in NETWORKS.items():
        folder = Path(tempfile.mkdtemp(prefix="icc-bench-"))
        try:
            prepare(folder, name, count)
            extraction(folder, name)
            loop = Loop(folder, name)
            peaks: list[float] = []
            root = str(Path(__file__).parent.parent)
            arguments = (folder, spec.spec, json.dumps(spec.args), root)
            ours, inside, floor, theirs = alternating(
                lambda: peaks.append(extraction(folder, name)),  # noqa: B023
                lambda: icc("inspect", folder / "ckpts" / "0.pt"),  # noqa: B023
                loop.run,
                lambda: command(sys.executable, "-c", FEATURES, *arguments),  # noqa: B023
                repeats=repeats,
            )
            work = f"{name}, {count:,} images of 32 x 32"
            yield Row("extract", work, ours, f"forward loop and writing (start alone: {inside:.2g} s)", floor,
                      "create_feature_extractor", theirs, max(peaks))  # fmt: skip
            if thingsvision and name == "resnet18":
                start = time.perf_counter()
                subprocess.run([thingsvision, "-c", THINGSVISION, str(folder), str(CLASSES)], check=True)
                yield Row("extract", work, ours, opponent="thingsvision",
                          opponent_seconds=time.perf_counter() - start)  # fmt: skip
        finally:
            shutil.rmtree(folder)


def many(count: int, copies: int) -> Iterator[Row]:
    name = "resnet18"
    folder = Path(tempfile.mkdtemp(prefix="icc-bench-"))
    try:
        prepare(folder, name, count, copies)
        extraction(folder, name, "ckpts/0.pt")
        loop = Loop(folder, name)
        together, apart, one = alternating(
            lambda: extraction(folder, name),
            lambda: [extraction(folder, name, f"ckpts/{seed}.pt") for seed in range(copies)],
            loop.run,
            repeats=1,
        )
        yield Row("extract, many", f"{copies} checkpoints of {name}, {count:,} images", together,
                  f"{copies} forward loops", copies * one, "a process per checkpoint", apart)  # fmt: skip
    finally:
        shutil.rmtree(folder)


def main() -> None:
    cli = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    cli.add_argument("--images", type=int, default=10_000)
    cli.add_argument("--repeats", type=int, default=REPEATS)
    cli.add_argument("--thingsvision", metavar="PYTHON")
    arguments = cli.parse_args()
    found = []
    for row in rows(arguments.images, arguments.repeats, arguments.thingsvision):
        found.append(row)
        print(" | ".join(row.cells()), file=sys.stderr, flush=True)
    found += many(2000, 20)
    print(table(found))


if __name__ == "__main__":
    main()
