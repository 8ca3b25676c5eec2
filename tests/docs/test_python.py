"""The blocks of docs/python.md, run one after the other in one interpreter."""

import re

from tests.conftest import ROOT

BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def test_every_block_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "docs" / "python.md").read_text("utf-8")
    world = {}
    blocks = BLOCK.findall(text)
    assert len(blocks) == text.count("```python")
    for block in blocks:
        exec(compile(block, "docs/python.md", "exec"), world)
    assert world["ranking"]["mine"]["Psi"] == 1.0
    assert set(world["result"]) == {"c1", "c2", "c3", "c4"} and None not in world["result"].values()
    assert "<table>" in world["result"]._repr_html_() and "<table>" in world["monitor"]._repr_html_()
    assert world["sharp"]["inv_sigma"] > 0
