"""The records of a run of this study, compact: one JSONL file for each kind, numbers to six digits.

python collect.py WORK
"""

import csv
import json
import sys
from pathlib import Path

from icc_cli import records

HERE = Path(__file__).parent / "records"
DROPPED = ("content_key", "notes", "normalisation")
"""Of no use without the caches."""


def rounded(value: object) -> object:
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, list):
        return [rounded(item) for item in value]
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    return value


def compact(folder: Path, target: Path) -> list[records.Record]:
    found = [record for path in sorted(folder.glob("*.json")) for record in records.read(path)]
    found = [{key: rounded(value) for key, value in record.items() if key not in DROPPED} for record in found]
    target.write_text("".join(json.dumps(record, separators=(",", ":")) + "\n" for record in found))
    return found


def main() -> None:
    work = Path(sys.argv[1])
    HERE.mkdir(exist_ok=True)
    models = compact(work / "results", HERE / "measures.jsonl")
    models += compact(work / "results-seed1", HERE / "measures-seed1.jsonl")
    for name in ("reference", "reference-seed1", "sharpness", "results-epochs"):
        compact(work / name, HERE / f"{name}.jsonl")
    (HERE / "c4-share.csv").write_text((work / "c4-share.csv").read_text())
    with (HERE / "runs.csv").open("w", newline="") as file:
        rows = [{"checkpoint": m["checkpoint"], **m["hparams"], "epochs": m["epoch"], **m["metrics"]} for m in models]
        table = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        table.writeheader()
        table.writerows(rows)


if __name__ == "__main__":
    main()
