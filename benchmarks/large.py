"""`icc measure` beyond a machine's memory: ImageNet's samples in one site, and many neurons in one network.

    python benchmarks/large.py [--folder FOLDER]

Makes caches of up to 11 GB in FOLDER, one after the other, and prints for each the seconds of processor and the peak
memory of `icc measure --layer-k 5 -q`, c1 to c4 of 100 classes of ten subclasses. Once each: these are minutes, not
medians.
"""

import argparse
import resource
import shutil
import tempfile
from pathlib import Path

from caches import make
from timing import peak

SHAPES = {
    "50,000 x 2,048 in one site": (50_000, (2048,)),
    "1,281,167 x 2,048 in one site": (1_281_167, (2048,)),
    "50,000 x 26,000 in 52 sites": (50_000, (500,) * 52),
}


def cost(path: Path) -> tuple[float, float]:
    """Seconds of processor, and peak memory in MB, of measuring the cache."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    memory = peak("measure", "--layer-k", "5", "-q", path)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, memory


def main() -> None:
    cli = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    cli.add_argument("--folder", type=Path, help="Where the caches are made; needs 11 GB. Default: a temporary one.")
    cli.add_argument("--named", default="", help="Those alone whose name holds this.")
    asked = cli.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="icc-large-", dir=asked.folder))
    try:
        print("| cache | GB | CPU seconds | seconds a GB | peak (MB) |\n| --- | --- | --- | --- | --- |")
        for name, (rows, widths) in [(name, shape) for name, shape in SHAPES.items() if asked.named in name]:
            path = folder / "large.h5"
            make(path, rows, widths, 100, 10, 0)
            size = path.stat().st_size / 1e9
            seconds, memory = cost(path)
            print(f"| {name} | {size:.2f} | {seconds:.1f} | {seconds / size:.1f} | {memory:.0f} |", flush=True)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
