"""What taking the head, the logits and the controls costs `icc extract`: processor time against the code before it did.

    python benchmarks/head.py [--after REVISION] [--before REVISION] [--images 5000] [--repeats 5]

A cache of version 2 against one of version 1, of the paper's wide ResNet 18 on random images of 32 x 32, by commands
that take turns, start-up included; the least of each counts. The revisions are the first that wrote version 2 and
the last that wrote version 1, between which nothing else changed; `--after HEAD` takes today's code.
"""

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from extract import MEAN, NETWORKS, prepare
from timing import ROOT

FIRST_OF_VERSION_2 = "f179b74"
NAME = "wide ResNet 18"


def tree(revision: str, folder: Path) -> Path:
    """The package as it was."""
    archive = subprocess.run(["git", "archive", revision, "icc_cli"], cwd=ROOT, check=True, stdout=subprocess.PIPE)
    folder.mkdir()
    subprocess.run(["tar", "x", "-C", folder], input=archive.stdout, check=True)
    return folder


def seconds(package: Path, folder: Path) -> float:
    """Processor seconds of one `icc extract` of `package`."""
    spec, numbers = NETWORKS[NAME], ",".join(map(str, MEAN))
    command = [
        sys.executable,
        "-m",
        "icc_cli",
        "extract",
        folder / "ckpts",
        "-o",
        folder / package.name,
        "--force",
        "-q",
    ]
    command += [
        "--force",
        "-q",
        "--data",
        f"npz:{folder / 'data.npz'}",
        "--mean",
        numbers,
        "--std",
        numbers,
        "--model",
        spec.spec,
    ]
    command += [part for key, value in spec.args.items() for part in ("--model-arg", f"{key}={value}")]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    environment = {**os.environ, "PYTHONPATH": str(package)}
    subprocess.run(command, check=True, cwd=folder, env=environment, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    cli = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    cli.add_argument("--after", default=FIRST_OF_VERSION_2, metavar="REVISION")
    cli.add_argument("--before", default=f"{FIRST_OF_VERSION_2}^", metavar="REVISION")
    cli.add_argument("--images", type=int, default=5000)
    cli.add_argument("--repeats", type=int, default=5)
    arguments = cli.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="icc-bench-"))
    try:
        prepare(folder, NAME, arguments.images)
        before, after = tree(arguments.before, folder / "before"), tree(arguments.after, folder / "after")
        found = [(seconds(before, folder), seconds(after, folder)) for _ in range(arguments.repeats)]
    finally:
        shutil.rmtree(folder)
    old, new = (min(each) for each in zip(*found, strict=True))
    print(f"{NAME}, {arguments.images:,} images: {new:.2f} s of a processor, {old:.2f} s before; ratio {new / old:.3f}")


if __name__ == "__main__":
    main()
