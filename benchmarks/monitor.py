"""What `icc_cli.Monitor` costs a training at its default settings, on the paper's case.

    python benchmarks/monitor.py [--samples 50000] [--steps 40]

A wide ResNet of 18 layers on 32 x 32 images of 20 classes, 5 subclasses each, batches of 100. Steps of the training
loop and looks of the monitor take turns; an epoch is so many steps as its samples need, and a look comes every fifth
epoch. Processor seconds, so that what else runs on the machine has little part in the ratio. Random images cost what
real ones do.
"""

import argparse
import statistics
import time

import torch
from torch.utils.data import DataLoader, TensorDataset

import icc_cli as icc
from icc_cli.models import ModelSpec, build

BATCH, CLASSES, SUBCLASSES, LOOKS = 100, 20, 100, 3


def main() -> None:
    cli = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cli.add_argument("--samples", type=int, default=50_000, help="of the training set")
    cli.add_argument("--steps", type=int, default=40, help="of training between two looks that are timed")
    args = cli.parse_args()
    torch.manual_seed(0)
    fine = torch.arange(args.samples) % SUBCLASSES
    data = TensorDataset(torch.randn(args.samples, 3, 32, 32), fine // (SUBCLASSES // CLASSES), fine)
    model = build(ModelSpec("wrn", {"num_classes": CLASSES})).to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(model.parameters(), 0.01, momentum=0.9)
    monitor = icc.Monitor(DataLoader(data, batch_size=128))
    batches = iter(DataLoader(data, batch_size=BATCH, shuffle=True))
    steps, looks = [], []
    for look in range(1, LOOKS + 1):
        start = time.process_time()
        for x, y, _ in (next(batches) for _ in range(args.steps)):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(model(x.to(memory_format=torch.channels_last)), y).backward()
            optimizer.step()
        steps.append((time.process_time() - start) / args.steps)
        start = time.process_time()
        monitor(model, look * monitor.every)
        looks.append(time.process_time() - start)
    epoch = statistics.median(steps) * args.samples / BATCH
    look = statistics.median(looks)
    print(f"an epoch of {args.samples} samples: {epoch:.1f} s of processor time; a look: {look:.1f} s")
    print(f"every {monitor.every} epochs: {100 * look / monitor.every / epoch:.2f} % of an epoch")


if __name__ == "__main__":
    main()
