"""A really trained family with its checkpoints along training, measured for every k and site."""

import pytest

from tests.conftest import icc

GRID = """
[data]
spec = "digits"
per_class = 12
[model]
spec = "vgg"
base_width = 4
[training]
epochs = 6
drops = [4]
shift = 1
flip = false
[grid]
optimizer = ["sgd", "adam"]
lr = [0.03, 0.1]
depth = [1.0, 1.5]
"""


@pytest.fixture(scope="session")
def family(tmp_path_factory):
    """A folder with acts/, results/, and the same of the epochs 0, 2 and 6 in epochs-acts/, epochs-results/."""
    folder = tmp_path_factory.mktemp("family")
    (folder / "grid.toml").write_text(GRID)
    for command in (
        ("train", "--grid", "grid.toml", "-o", "ckpts", "--save-epochs", "0,2,6"),
        ("extract", "ckpts", "-o", "acts"),
        ("extract", "ckpts-epochs", "-o", "epochs-acts"),
        ("measure", "--k", 10, "--all-k", "--per-site", "acts", "-o", "results"),
        ("measure", "--k", 10, "--per-site", "epochs-acts", "-o", "epochs-results"),
    ):
        done = icc(*command, cwd=folder)
        assert done.returncode == 0, done.stderr
    return folder
