"""What `icc --help` and `icc rank` on 200 records take to start and end, against Python with typer imported.

python benchmarks/start.py
"""

import json
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from timing import Row, alternating, command, icc, table

RECORDS = 200
REPEATS = 11


def rows(folder: Path) -> Iterator[Row]:
    path = folder / "records.jsonl"
    with path.open("w") as file:
        for i in range(RECORDS):
            record = {
                "record": "icc-measure",
                "version": 1,
                "checkpoint": f"{i}.pt",
                "weights_sha256": f"{i:064}",
                "hparams": {"lr": i % 5, "depth": i // 5 % 4, "batch_size": i // 20},
                "metrics": {"train_accuracy": 1.0, "test_accuracy": (i * 37 % 101) / 101},
                "measures": {name: (i * prime % 97) / 97 for name, prime in (("c1", 31), ("c2", 41), ("c3", 53))},
                "notes": [],
            }
            file.write(json.dumps(record) + "\n")
    seconds = alternating(
        lambda: command(sys.executable, "-c", "import typer"),
        lambda: icc("--help"),
        lambda: icc("rank", path),
        repeats=REPEATS,
    )
    for name, ours in zip(("icc --help", f"icc rank, {RECORDS} records"), seconds[1:], strict=True):
        yield Row("start", name, ours, "python -c 'import typer'", seconds[0])


def main() -> None:
    folder = Path(tempfile.mkdtemp(prefix="icc-bench-"))
    try:
        print(table(list(rows(folder))))
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
