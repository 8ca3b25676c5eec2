"""How far the test accuracies of the demo's networks spread, beside what another seed does to each.

python benchmarks/demo_spread.py FOLDER     # trains the preset with two seeds there: five minutes on two cores
"""

import subprocess
import sys
from collections import defaultdict
from importlib import resources
from pathlib import Path

import numpy as np
import torch

FITTED = 0.99


def main(folder: Path) -> None:
    grid = folder / "smoke-two-seeds.toml"
    preset = resources.files("icc_cli.training") / "presets" / "smoke.toml"
    folder.mkdir(parents=True, exist_ok=True)
    grid.write_text("seeds = [0, 1]\n" + preset.read_text("utf-8"), "utf-8")
    train = [sys.executable, "-m", "icc_cli", "train", "--grid", str(grid), "-o", str(folder)]
    subprocess.run(train, check=True, stdout=subprocess.DEVNULL)
    print(spread(folder))


def spread(folder: Path) -> str:
    """One line on the networks of `folder` of which both seeds fit."""
    tests = defaultdict(dict)
    for path in folder.glob("*.pt"):
        metrics = torch.load(path, weights_only=True)["metrics"]
        name, _, seed = path.stem.rpartition("-seed")
        if metrics["train_accuracy"] >= FITTED:
            tests[name][seed] = metrics["test_accuracy"]
    both = np.array([[seeds["0"], seeds["1"]] for seeds in tests.values() if len(seeds) == 2])
    noise = np.sqrt(((both[:, 0] - both[:, 1]) ** 2).mean() / 2)
    deviation = both.std(axis=0, ddof=1).mean()
    correlation = np.corrcoef(both.T)[0, 1]
    return (
        f"{len(both)} networks fit with both seeds: test accuracies have a standard deviation of {deviation:.3f}, "
        f"two seeds of one network {noise:.3f}; the seeds correlate at {correlation:.2f}"
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
