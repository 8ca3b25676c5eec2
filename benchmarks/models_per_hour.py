"""Networks an hour of a preset at full scale, what bounds them, and the hours that the paper's sets would take.

    python benchmarks/models_per_hour.py [--preset cifar100-coarse-wrn] [--epochs 2] [--jobs 4] [--device auto]

Trains the smallest and the largest network of the preset for a few epochs, each at its smallest and largest batch
size, alone and `--jobs` at once (a process each), on random images of CIFAR's shape, as `icc train` trains them on the
device: bfloat16 on a GPU, float32 on a CPU. Prints, for each: seconds an epoch; the arithmetic reached against that of
the same network's bare forward and backward on one resident batch (what the loop adds), and against that of a batch
four times as large (what launches and small kernels cost); and the memory. The estimate weighs every configuration of
the presets by its own network and batch size, with all epochs, and assumes that no network stops early.
"""

import argparse
import multiprocessing
import time
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from icc_cli.data import Dataset, Split
from icc_cli.extraction import resolve_device
from icc_cli.models import ModelSpec, build
from icc_cli.training import grid as grids
from icc_cli.training.loop import DeviceData, Trainer, seeded

MEAN, STD = (0.5071, 0.4865, 0.4409), (0.2673, 0.2564, 0.2762)
PAPER = ("cifar10-vgg", "cifar100-wrn", "cifar100-coarse-wrn")
CLASSES = 20


def spec_of(grid: grids.Grid, hparams: dict[str, Any]) -> ModelSpec:
    args = {key: hparams[key] for key in ("width", "depth", "dropout")}
    return ModelSpec(grid.model, {"num_classes": CLASSES, **grid.model_args, **args})


def trainer_of(grid: grids.Grid, hparams: dict[str, Any], images: int, device: torch.device) -> Trainer:
    rng = np.random.default_rng(0)
    split = Split(rng.integers(0, 256, (images, 32, 32, 3), np.uint8), rng.integers(0, CLASSES, images))
    data = DeviceData.of(Dataset("random", split, None), MEAN, STD, device)
    seeded(0, 0, device)
    network = build(spec_of(grid, hparams)).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    recipe = replace(grid.recipe, stop_loss=0.0)
    return Trainer(network, data, {**hparams, "seed": 0}, recipe, bfloat16=device.type == "cuda")


def epochs_in(grid: grids.Grid, hparams: dict[str, Any], images: int, device: str, epochs: int, threads: int) -> float:
    """Seconds an epoch, the first one (which warms up) left out."""
    torch.set_num_threads(threads)
    trainer = trainer_of(grid, hparams, images, torch.device(device))
    trainer.run_epoch()
    start = time.perf_counter()
    for _ in range(epochs):
        trainer.run_epoch()
    return (time.perf_counter() - start) / epochs


def bare(grid: grids.Grid, hparams: dict[str, Any], batch: int, device: torch.device, steps: int = 10) -> float:
    """Seconds a forward and backward pass on one resident batch."""
    trainer = trainer_of(grid, hparams, 2, device)
    images = torch.randn(batch, 3, 32, 32, device=device).to(memory_format=torch.channels_last)
    for step in range(steps + 3):
        if step == 3:
            synchronise(device)
            start = time.perf_counter()
        with torch.autocast(device.type, torch.bfloat16, enabled=trainer.bfloat16):
            trainer.network(images).float().sum().backward()
    synchronise(device)
    return (time.perf_counter() - start) / steps


def flops(grid: grids.Grid, hparams: dict[str, Any]) -> float:
    """Floating-point operations of one image's forward and backward pass."""
    network = build(spec_of(grid, hparams))
    with FlopCounterMode(display=False) as counter:
        network(torch.randn(2, 3, 32, 32)).sum().backward()
    return counter.get_total_flops() / 2


def synchronise(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def main() -> None:
    cli = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cli.add_argument("--preset", default="cifar100-coarse-wrn")
    cli.add_argument("--images", type=int, default=50_000)
    cli.add_argument("--epochs", type=int, default=2)
    cli.add_argument("--jobs", type=int, default=4)
    cli.add_argument("--base-width", type=int, help="narrower networks, to try the script")
    cli.add_argument("--device", default="auto")
    args = cli.parse_args()
    device = resolve_device(args.device)
    grid = scaled(grids.load(args.preset), args.base_width)
    by_size = sorted(grid.configurations, key=lambda h: (flops(grid, h), h["batch_size"], h["augmentation"]))
    seconds: dict[tuple[float, int], float] = {}
    print(f"{args.preset} on {device}, {args.images} images, {args.jobs} at once")
    for size in (flops(grid, by_size[0]), flops(grid, by_size[-1])):
        same = [h for h in by_size if flops(grid, h) == size]
        for batch in sorted({h["batch_size"] for h in same}):
            hparams = next(h for h in same if h["batch_size"] == batch)
            alone = epochs_in(grid, hparams, args.images, str(device), args.epochs, torch.get_num_threads())
            together = at_once(grid, hparams, args, str(device))
            seconds[size, batch] = together / args.jobs
            work = size * args.images
            pass_time, large = bare(grid, hparams, batch, device), bare(grid, hparams, 4 * batch, device) / 4
            memory = torch.cuda.max_memory_allocated(device) / 2**30 if device.type == "cuda" else float("nan")
            print(
                f"width {hparams['width']}, depth {hparams['depth']}, batch {batch}: {size / 1e9:.2f} GFLOP an image; "
                f"epoch {alone:.2f} s alone ({work / alone / 1e12:.2f} TFLOP/s), {seconds[size, batch]:.2f} s each of "
                f"{args.jobs}; bare passes {pass_time * args.images / batch:.2f} s, at four times the batch "
                f"{large * args.images / batch:.2f} s; peak memory {memory:.2f} GiB"
            )
    for name in PAPER:
        print(f"{name}: {hours(scaled(grids.load(name), args.base_width), seconds):.1f} hours, by these figures")


def scaled(grid: grids.Grid, base_width: int | None) -> grids.Grid:
    return grid if base_width is None else replace(grid, model_args={**grid.model_args, "base_width": base_width})


def at_once(grid: grids.Grid, hparams: dict[str, Any], args: argparse.Namespace, device: str) -> float:
    """Seconds an epoch of `--jobs` equal networks that train at the same time."""
    threads = max(1, torch.get_num_threads() // args.jobs)
    with multiprocessing.get_context("spawn").Pool(args.jobs) as pool:
        work = [(grid, hparams, args.images, device, args.epochs, threads)] * args.jobs
        return max(pool.starmap(epochs_in, work))


def hours(grid: grids.Grid, seconds: dict[tuple[float, int], float]) -> float:
    """Hours of the whole set: each configuration at the seconds per operation of the nearest network measured."""
    total = 0.0
    for hparams in grid.configurations:
        size = flops(grid, hparams)
        measured = min(seconds, key=lambda key: (abs(key[1] - hparams["batch_size"]), abs(key[0] - size)))
        total += grid.recipe.epochs * seconds[measured] * size / measured[0]
    return total / 3600


if __name__ == "__main__":
    main()
