"""The table of conventions in docs/measures.md is what its command prints."""

import subprocess
import sys

from tests.conftest import ROOT


def test_the_table_is_current():
    done = subprocess.run(
        [sys.executable, ROOT / "benchmarks" / "conventions.py"],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if "float32" not in line]  # which is nothing but rounding
    documented = (ROOT / "docs" / "measures.md").read_text("utf-8")
    assert len(lines) > 10 and all(line in documented for line in lines)
