"""What float16 storage and a bfloat16 forward pass cost in each measure, on the networks of a folder.

    python benchmarks/rounding.py CKPTS [--layer-k 5]

Prints, for each way, the largest change of each measure relative to its spread over the networks (s.d.), and Kendall's
tau of the networks' order with that of float32.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from scipy.stats import kendalltau

MEASURES = ("c1", "c2", "c3", "c4")
WAYS = {
    "--store-dtype float16": ("--store-dtype", "float16"),
    "--precision bfloat16": ("--precision", "bfloat16"),
}


def measured(checkpoints: str, layer_k: str, *options: str) -> list[dict[str, float]]:
    """c1 to c4 of each network."""
    with tempfile.TemporaryDirectory() as folder:
        icc = (sys.executable, "-m", "icc_cli")
        extract = (*icc, "extract", checkpoints, "-o", folder, "-q", *options)
        subprocess.run(extract, check=True, stdout=subprocess.DEVNULL)
        done = subprocess.run(
            (*icc, "measure", "--layer-k", layer_k, folder, "-q", "--format", "json"),
            check=True, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        return [json.loads(line)["measures"] for line in done.stdout.splitlines()]


def main() -> None:
    cli = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    cli.add_argument("checkpoints", type=lambda text: str(Path(text).resolve()))
    cli.add_argument("--layer-k", default="5")
    arguments = cli.parse_args()
    exact = measured(arguments.checkpoints, arguments.layer_k)
    print(f"| {len(exact)} networks | {' | '.join(f'{name}: largest change / s.d. | tau' for name in MEASURES)} |")
    print("| --- |" + " ---: | ---: |" * len(MEASURES))
    for title, options in WAYS.items():
        rough = measured(arguments.checkpoints, arguments.layer_k, *options)
        cells = []
        for name in MEASURES:
            pairs = [(a[name], b[name]) for a, b in zip(exact, rough, strict=True)]
            spread = statistics.stdev(a for a, _ in pairs)
            tau = kendalltau(*zip(*pairs, strict=True)).statistic
            cells += [f"{max(abs(a - b) for a, b in pairs) / spread:.2g}", f"{tau:.3f}"]
        print(f"| `{title}` | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
