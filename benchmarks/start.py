"""What `icc --help` and `icc rank` on 200 records take to start and end, against Python with typer imported,
and against the least app that typer makes: its help by rich, its arguments by pydantic, and numpy.

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
APP = """
import typer

app = typer.Typer()


@app.command()
def numpy(size: int = 3) -> None:
    import numpy


@app.command()
def other() -> None:
    pass


app()
"""


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
    app = folder / "app.py"
    app.write_text(APP)
    bare, its_help, with_numpy, our_help, our_rank = alternating(
        lambda: command(sys.executable, "-c", "import typer"),
        lambda: command(sys.executable, app, "--help"),
        lambda: command(sys.executable, app, "numpy"),
        lambda: icc("--help"),
        lambda: icc("rank", path),
        repeats=REPEATS,
    )
    ranked = f"icc rank, {RECORDS} records"
    yield Row("start", "icc --help", our_help, "python -c 'import typer'", bare)
    yield Row("start", "icc --help", our_help, "--help of a typer app of two commands", its_help)
    yield Row("start", ranked, our_rank, "python -c 'import typer'", bare)
    yield Row("start", ranked, our_rank, "a typer app that imports numpy", with_numpy)


def main() -> None:
    folder = Path(tempfile.mkdtemp(prefix="icc-bench-"))
    try:
        print(table(list(rows(folder))))
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
