"""Images per second of `icc train`'s loop against the loop that people write, on the same machine in one run.

    python benchmarks/train.py [--data npz:FILE] [--images 2000] [--epochs 2] [--seeds 5]

The usual loop: a data set of PIL images as torchvision's CIFAR classes give them, torchvision's transforms (reflected
random crop, flip, tensor, normalisation), a DataLoader with two workers, the same network and settings. The network
is the quarter-width VGG at 32 x 32. Without --data, images are random and only speed is compared.
"""

import argparse
import multiprocessing
import os
import statistics
import time

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from icc_cli.data import Dataset, DataSource, Split, load
from icc_cli.models import ModelSpec, build
from icc_cli.training.grid import Recipe
from icc_cli.training.loop import DeviceData, Trainer, evaluate, seeded

HPARAMS = {"lr": 0.05, "batch_size": 100, "weight_decay": 0.0, "optimizer": "sgd", "augmentation": True}
MEAN, STD = (0.5071, 0.4865, 0.4409), (0.2673, 0.2564, 0.2762)
CPU = torch.device("cpu")


class PilImages(TorchDataset):
    """Images as torchvision's CIFAR classes return them: an array turned into a PIL image, then transformed."""

    def __init__(self, split: Split) -> None:
        from torchvision import transforms

        self.split = split
        self.transform = transforms.Compose(
            [
                transforms.RandomCrop(32, padding=4, padding_mode="reflect"),
                transforms.RandomHorizontalFlip(),
                transforms.ToTensor(),
                transforms.Normalize(MEAN, STD),
            ]
        )

    def __len__(self) -> int:
        return len(self.split)

    def __getitem__(self, row: int) -> tuple[torch.Tensor, int]:
        from PIL import Image

        return self.transform(Image.fromarray(self.split.images[row])), int(self.split.labels[row])


def network(data: Dataset) -> nn.Module:
    return build(ModelSpec("vgg", {"num_classes": data.num_classes, "base_width": 8}))


def usual(data: Dataset, device_data: DeviceData, epochs: int, seed: int) -> tuple[float, float]:
    """(images per second, test accuracy) of the usual loop; its first batch, which starts the workers, counts."""
    torch.manual_seed(seed)
    model = network(data)
    optimizer = torch.optim.SGD(model.parameters(), HPARAMS["lr"], momentum=0.9)
    loader = DataLoader(PilImages(data.train), HPARAMS["batch_size"], shuffle=True, num_workers=2)
    start = time.perf_counter()
    for _ in range(epochs):
        model.train()
        for images, labels in loader:
            loss = nn.functional.cross_entropy(model(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            loss.item()
    speed = epochs * len(data.train) / (time.perf_counter() - start)
    return speed, evaluate(model, device_data, device_data.test)[0] if device_data.test else 0.0


def ours(data: Dataset, device_data: DeviceData, epochs: int, seed: int) -> tuple[float, float]:
    """The same of this package's loop."""
    seeded(seed, 0, CPU)
    model = network(data).to(memory_format=torch.channels_last)
    trainer = Trainer(model, device_data, {**HPARAMS, "seed": seed}, Recipe(epochs=epochs, drops=()))
    start = time.perf_counter()
    trainer.run()
    speed = epochs * len(data.train) / (time.perf_counter() - start)
    return speed, evaluate(model, device_data, device_data.test)[0] if device_data.test else 0.0


def floor(data: Dataset, channels_last: bool, steps: int = 20) -> float:
    """Images per second of forward and backward alone, on one batch that is there already."""
    layout = torch.channels_last if channels_last else torch.contiguous_format
    model = network(data).to(memory_format=layout)
    images = torch.randn(HPARAMS["batch_size"], 3, 32, 32).to(memory_format=layout)
    for step in range(steps + 3):
        if step == 3:
            start = time.perf_counter()
        model(images).sum().backward()
    return steps * len(images) / (time.perf_counter() - start)


def worker(data: Dataset, epochs: int, seed: int, barrier: object, results: object) -> None:
    torch.set_num_threads(1)
    device_data = DeviceData.of(data, MEAN, STD, CPU)
    barrier.wait()
    results.put(ours(data, device_data, epochs, seed)[0])


def together(data: Dataset, epochs: int, jobs: int) -> float:
    """Images per second of `jobs` networks at once, one thread each."""
    context = multiprocessing.get_context("spawn")
    barrier, results = context.Barrier(jobs), context.Queue()
    processes = [context.Process(target=worker, args=(data, epochs, seed, barrier, results)) for seed in range(jobs)]
    for process in processes:
        process.start()
    speeds = [results.get() for _ in processes]
    for process in processes:
        process.join()
    return sum(speeds)


def main() -> None:
    cli = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cli.add_argument("--data")
    cli.add_argument("--images", type=int, default=2000)
    cli.add_argument("--epochs", type=int, default=2)
    cli.add_argument("--seeds", type=int, default=5)
    args = cli.parse_args()
    if args.data:
        data = load(DataSource(args.data))
    else:
        rng = np.random.default_rng(0)
        images = rng.integers(0, 256, (args.images, 32, 32, 3), np.uint8)
        data = Dataset("random", Split(images, rng.integers(0, 20, args.images)), None)
    device_data = DeviceData.of(data, MEAN, STD, CPU)
    cores = len(os.sched_getaffinity(0))
    print(f"{len(data.train)} images, {args.epochs} epochs, {cores} cores, {torch.get_num_threads()} threads")
    print(f"forward and backward alone, contiguous    {floor(data, False):8.0f} images/s")
    print(f"forward and backward alone, channels last {floor(data, True):8.0f} images/s")
    # Interleaved, so that other work on the machine falls on both alike.
    runs = [
        (usual(data, device_data, args.epochs, s), ours(data, device_data, args.epochs, s)) for s in range(args.seeds)
    ]
    for name, index in (("the usual loop", 0), ("one network", 1)):
        speeds, accuracies = zip(*(run[index] for run in runs), strict=True)
        spread = statistics.stdev(accuracies) if len(accuracies) > 1 else 0.0
        print(
            f"{name:16} {statistics.median(speeds):8.0f} images/s (median), "
            f"test accuracy {statistics.mean(accuracies):.4f} +- {spread:.4f} over {len(runs)} seeds"
        )
    many = together(data, args.epochs, cores)
    base = statistics.median(run[0][0] for run in runs)
    print(f"{cores} networks at once {many:8.0f} images/s together")
    print(f"ratio: {statistics.median(run[1][0] for run in runs) / base:.2f} one network, {many / base:.2f} at once")


if __name__ == "__main__":
    main()
