"""How fast a forward pass goes on this CPU by layout, batch, precision, and whether freed memory is kept.

    python benchmarks/forward.py

Each way in a process of its own, since what the allocator was told cannot be taken back; the ways take turns, and the
table holds the medians of milliseconds per image. This is where extract's settings and the floor of its benchmark
come from.
"""

import statistics
import subprocess
import sys
from itertools import product

REPEATS = 3
NETWORKS = (("wrn", 32), ("torchvision:resnet18", 32), ("torchvision:resnet18", 224))
BATCHES = (8, 32, 128, 512)
ONE = """
import sys, time
import torch
from icc_cli.resources import keep_freed_memory
from icc_cli.models import ModelSpec, build
name, side, layout, kept, precision, size = sys.argv[1:]
if kept == "kept":
    keep_freed_memory()
layout = getattr(torch, layout)
network = build(ModelSpec(name, {"num_classes": 100})).eval().to(memory_format=layout)
images = torch.randn(int(size), 3, int(side), int(side)).contiguous(memory_format=layout)
passes = max(2, (64 if side == "224" else 1024) // int(size))
with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
    network(images)
    start = time.perf_counter()
    for _ in range(passes):
        network(images)
print(1000 * (time.perf_counter() - start) / passes / int(size))
"""


def main() -> None:
    ways = [
        *product(("contiguous_format", "channels_last"), ("returned",), ("float32",)),
        ("channels_last", "kept", "float32"),
        ("channels_last", "kept", "bfloat16"),
    ]
    print(f"| network | layout | freed memory | precision | {' | '.join(f'batch {size}' for size in BATCHES)} |")
    print("| --- | --- | --- | --- |" + " ---: |" * len(BATCHES))
    for name, side in NETWORKS:
        sizes = [size for size in BATCHES if side < 224 or size <= 128]
        found: dict[tuple[str, ...], list[float]] = {}
        for _ in range(REPEATS):
            for way, size in product(ways, sizes):
                arguments = [name, str(side), *way, str(size)]
                done = subprocess.run(
                    [sys.executable, "-c", ONE, *arguments], check=True, stdout=subprocess.PIPE, text=True
                )
                found.setdefault((*way, str(size)), []).append(float(done.stdout))
        for way in ways:
            cells = [f"{statistics.median(found[*way, str(size)]):.3g}" if size in sizes else "" for size in BATCHES]
            print(f"| {name}, {side} x {side} | {' | '.join((*way, *cells))} |", flush=True)


if __name__ == "__main__":
    main()
