"""The study's published numbers are those that its committed records give."""

import importlib.util
from pathlib import Path

STUDY = Path(__file__).parents[2] / "studies" / "cifar100-superclasses"


def test_every_table_of_the_study_comes_out_of_its_records():
    spec = importlib.util.spec_from_file_location("study", STUDY / "study.py")
    study = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(study)
    text = (STUDY / "README.md").read_text()
    for name, table in study.tables().items():
        assert f"<!-- begin {name} -->\n{table}\n<!-- end {name} -->" in text, name


def test_the_records_are_of_the_models_that_the_text_names():
    lines = (STUDY / "records" / "measures.jsonl").read_text().splitlines()
    assert len(lines) == 72
    assert len((STUDY / "records" / "measures-seed1.jsonl").read_text().splitlines()) == 15
