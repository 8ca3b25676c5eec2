"""What the package says of itself outside the repository."""

import re
import runpy
import tomllib

import pytest

from icc_cli import __version__
from tests.conftest import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def test_the_description_leads_nowhere_that_is_not_there(monkeypatch):
    setuptools = pytest.importorskip("setuptools")
    given = {}
    monkeypatch.setattr(setuptools, "setup", lambda **options: given.update(options))
    runpy.run_path(str(ROOT / "setup.py"))
    text, readme = given["long_description"], (ROOT / "README.md").read_text("utf-8")
    assert not re.search(r"\]\((?!https?://)", text) and "![" not in text
    words = set(re.findall(r"\w+", re.sub(r"!\[[^\]]*\]\([^)]*\)|\]\([^)]*\)", "", readme)))
    assert words <= set(re.findall(r"\w+", text)), "nothing but addresses is gone"


def test_it_runs_on_every_python_that_there_is():
    assert PROJECT["requires-python"] == ">=3.11"
    named = {line.rpartition(" ")[2] for line in PROJECT["classifiers"] if "Python :: 3." in line}
    assert named == {"3.11", "3.12", "3.13", "3.14"}
    assert PROJECT["scripts"] == dict.fromkeys(("icc", "icc-cli"), "icc_cli.__main__:main")


def test_the_citation_is_of_this_version():
    assert f"version: {__version__}" in (ROOT / "CITATION.cff").read_text("utf-8")
