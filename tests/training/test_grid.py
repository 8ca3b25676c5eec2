"""The paper's grids have its sizes and groups; a grid of one's own is read, or refused in a sentence."""

from collections import Counter

import pytest

from icc_cli.errors import UsageError
from icc_cli.training.grid import Recipe, load, parse, presets

AXES = ("lr", "batch_size", "weight_decay", "optimizer", "dropout", "augmentation", "width", "depth")
MINIMAL = '[model]\nspec = "vgg"\n'
AUGMENTED = "[grid]\naugmentation = [false, true]\nbatch_size = [10, 20]\n"


def groups(configurations, axis):
    """Groups of two or more configurations that agree on everything but `axis`."""
    keys = Counter(tuple(sorted((k, v) for k, v in c.items() if k != axis)) for c in configurations)
    return sum(count > 1 for count in keys.values())


@pytest.mark.parametrize(
    ("preset", "size", "counts"),
    [
        ("cifar10-vgg", 144, None),
        ("cifar100-wrn", 192, (48, 96, 48, 96, 48, 48, 64, 64)),
        ("cifar100-coarse-wrn", 192, (48, 96, 48, 96, 48, 48, 64, 64)),
    ],
)
def test_the_papers_sets(preset, size, counts):
    grid = load(preset)
    assert len(grid.configurations) == size
    assert len({tuple(c.items()) for c in grid.configurations}) == size
    assert (0.4 in {c["dropout"] for c in grid.configurations}) == (size == 192)
    assert all(c["dropout"] == 0 for c in grid.configurations if c["augmentation"])
    assert all(c["weight_decay"] == 0 or c["lr"] == 0.1 for c in grid.configurations)
    assert not any(c["width"] > 1 and c["depth"] > 1 for c in grid.configurations)
    assert (grid.recipe.epochs, grid.recipe.drops, grid.recipe.stop_loss) == (250, (150, 230, 240), 1e-4)
    if counts:
        assert tuple(groups(grid.configurations, axis) for axis in AXES) == counts


def test_smoke_is_large_and_varied_enough():
    grid = load("smoke")
    assert "smoke" in presets() and len(grid.configurations) >= 24
    assert sum(len({c.get(axis) for c in grid.configurations}) > 1 for axis in AXES) >= 4


def test_exclusions_seeds_and_model_arguments():
    axes = "[grid]\nlr = [0.1, 0.2]\nbase_width = [4, 8]\n[[exclude]]\nlr = 0.2\nbase_width = 8\n"
    grid = parse("seeds = [0, 1]\n" + MINIMAL + axes, "mine")
    found = [(c["lr"], c["base_width"], c["seed"]) for c in grid.configurations]
    assert found == [(0.1, 4, 0), (0.1, 4, 1), (0.1, 8, 0), (0.1, 8, 1), (0.2, 4, 0), (0.2, 4, 1)]


@pytest.mark.parametrize(
    "text",
    ["[[", "", '[model]\nname="vgg"', MINIMAL + "[grids]\nlr=[1]", MINIMAL + "[training]\nepoch = 3",
     MINIMAL + "[grid]\nlr = 0.1", MINIMAL + '[grid]\noptimizer = ["lion"]', MINIMAL + "[grid]\nbatch_size = [1]",
     MINIMAL + "[grid]\nlr = []", MINIMAL + "[grid]\nlr = [-1]", MINIMAL + "[grid]\nwidth = [[1, 2]]",
     MINIMAL + '[[joint]]\nnames = ["lr"]\nvalues = [[1, 2]]',
     *(MINIMAL + AUGMENTED + f"[[schedule]]\n{text}" for text in (
         "epochs = 3", "when = {}", "when = 3", "when = {augmentation = 2}", "when = {lr = 0.1}\nepoch = 3",
         "when = {lr = 0.1}\ndrops = 3", "when = {absent = 1}")),
     MINIMAL + '[grid]\nlr = [1]\n[[joint]]\nnames = ["lr"]\nvalues = [[1]]'],
)  # fmt: skip
def test_a_grid_that_makes_no_sense_is_refused(text):
    with pytest.raises(UsageError):
        parse(text, "mine")


def test_schedule_drops_and_scales():
    recipe = Recipe()
    sgd, adam = {"lr": 0.1, "optimizer": "sgd"}, {"lr": 0.1, "optimizer": "adam"}
    assert recipe.rate(sgd, 150) == pytest.approx(0.1)
    assert recipe.rate(sgd, 151) == pytest.approx(0.02)
    assert recipe.rate(sgd, 231) == pytest.approx(0.004)
    assert recipe.rate(adam, 241) == pytest.approx(0.001 * 0.2**3)
    assert recipe.scaled(25).drops == (15, 23, 24)
    with pytest.raises(UsageError):
        recipe.scaled(0)


SCHEDULES = """
[training]
epochs = 40
drops = [20]
stop_loss = 0.5
[[schedule]]
when = {augmentation = true, batch_size = 10}
epochs = 100
drops = [50, 80]
[[schedule]]
when = {augmentation = true}
epochs = 60
"""


def test_a_schedule_changes_the_recipe_of_the_configurations_that_match_first():
    grid = parse(MINIMAL + SCHEDULES + AUGMENTED, "mine")
    found = {(c["augmentation"], c["batch_size"]): grid.recipe_of(c) for c in grid.configurations}
    assert {key: (r.epochs, r.drops) for key, r in found.items()} == {
        (False, 10): (40, (20,)),
        (False, 20): (40, (20,)),
        (True, 10): (100, (50, 80)),
        (True, 20): (60, (20,)),
    }
    assert {r.stop_loss for r in found.values()} == {0.5}


def test_schedules_scale_in_proportion():
    grid = parse(MINIMAL + SCHEDULES + AUGMENTED, "mine").scaled(20)
    assert (grid.recipe.epochs, grid.recipe.drops) == (20, (10,))
    assert [(s.recipe.epochs, s.recipe.drops) for s in grid.schedules] == [(50, (25, 40)), (30, (10,))]
    assert [s.recipe.epochs for s in grid.scaled(1).schedules] == [2, 2]


def test_the_first_axis_of_the_file_varies_slowest():
    joints = ("dropout", [[0.0], [0.2]]), ("width", [[1.0], [1.5]])
    axes = "[grid]\nbatch_size = [20, 10]\n" + "".join(f'[[joint]]\nnames = ["{n}"]\nvalues = {v}\n' for n, v in joints)
    found = [(c["batch_size"], c["dropout"], c["width"]) for c in parse(MINIMAL + axes, "mine").configurations]
    assert found == [(b, d, w) for b in (20, 10) for d in (0.0, 0.2) for w in (1.0, 1.5)]
