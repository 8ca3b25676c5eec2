"""Whether bfloat16 and torch.compile pay in training on this CPU: images per second of one step, alternating.

python benchmarks/precision.py
"""

import statistics
import time

import torch
from torch import Tensor, nn

from icc_cli.models import ModelSpec, build

NETWORKS = {"vgg, a quarter of the width": ("vgg", 8), "wrn, half of the width": ("wrn", 16)}
BATCH, ROUNDS, STEPS = 100, 6, 2


def step(network: nn.Module, optimizer: torch.optim.Optimizer, images: Tensor, labels: Tensor, bfloat16: bool) -> None:
    with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
        logits = network(images)
    loss = nn.functional.cross_entropy(logits.float(), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def main() -> None:
    torch.set_num_threads(1)
    images = torch.randn(BATCH, 3, 32, 32).to(memory_format=torch.channels_last)
    labels = torch.randint(0, 20, (BATCH,))
    for name, (spec, width) in NETWORKS.items():
        runs = {}
        for way in ("float32", "bfloat16", "compiled"):
            network = build(ModelSpec(spec, {"num_classes": 20, "base_width": width}))
            network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
            optimizer = torch.optim.SGD(network.parameters(), 0.01, momentum=0.9)
            runs[way] = (torch.compile(network) if way == "compiled" else network, optimizer, [])
            start = time.perf_counter()
            step(runs[way][0], optimizer, images, labels, way == "bfloat16")
            print(f"{name}: first step of {way} {time.perf_counter() - start:.1f} s", flush=True)
        for _ in range(ROUNDS):
            for way, (network, optimizer, seconds) in runs.items():
                start = time.perf_counter()
                for _ in range(STEPS):
                    step(network, optimizer, images, labels, way == "bfloat16")
                seconds.append((time.perf_counter() - start) / STEPS)
        medians = {way: statistics.median(run[2]) for way, run in runs.items()}
        for way, median in medians.items():
            print(f"{name}: {way} {BATCH / median:.0f} images/s, {medians['float32'] / median:.2f} of float32's")


if __name__ == "__main__":
    main()
