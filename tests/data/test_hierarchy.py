"""Hierarchies in the forms that data sets ship: one class for each label at the level, none dropped silently."""

import json
from pathlib import Path

import numpy as np
import pytest

from icc_cli.data import DataSource, load
from icc_cli.data.hierarchy import read_hierarchy
from icc_cli.data.torchvision_sets import CIFAR100_SUPERCLASSES
from icc_cli.errors import UsageError
from tests.conftest import SHARED

LABELS = ("cat", "dog", "oak_tree", "rose")
KINGDOMS = {"cat": "animal", "dog": "animal", "oak_tree": "plant", "rose": "plant"}
TREE = """
living
  animal
    mammal
      cat
      dog
  plant
    tree
      oak_tree
    flower
      rose
"""
EDGES = "animal cat\nanimal dog\nplant oak_tree\nplant rose\nliving animal\nliving plant\n"
TWICE = {"fruit": ["rose", "cat"], "plant": ["rose", "dog", "oak_tree"]}
NESTED = {"animal": {"mammal": ["cat", "dog"]}, "plant": {"tree": ["oak_tree"], "flower": ["rose"]}}
FORMS = {
    "header": ("subclass,class\ncat,animal\ndog,animal\noak_tree,plant\nrose,plant\n", None),
    "header turned": ("class;subclass\nanimal;cat\nanimal;dog\nplant;oak_tree\nplant;rose\n", None),
    "no header": ("cat,animal\ndog,animal\noak_tree,plant\nrose,plant\n", None),
    "no header turned": ("animal\tcat\nanimal\tdog\nplant\toak_tree\nplant\trose\n", None),
    "unknown header": ("species,kingdom\ncat,animal\ndog,animal\noak_tree,plant\nrose,plant\n", None),
    "YAML": ("# mine\n" + "".join(f"{label.replace('_', ' ')}: '{kind}'\n" for label, kind in KINGDOMS.items()), None),
    "spelling": ("Cat,animal\nDOG,animal\nOak tree,plant\nrose,plant\n", None),
    "more than the data": ("cat,animal\ndog,animal\noak_tree,plant\nrose,plant\npike,animal\n", None),
    "edges": (EDGES, "2"),
    "edges, one level divides": (EDGES, None),
    "edges turned": ("child,parent\ncat,mammal\ndog,mammal\nmammal,animal\noak_tree,plant\nrose,plant\n", "1"),
    "steps up": (EDGES, "-1"),
    "columns": ("label,family,kingdom\ncat,f,animal\ndog,c,animal\noak_tree,t,plant\nrose,r,plant\n", "kingdom"),
    "columns by number": ("animal,f,cat\nanimal,c,dog\nplant,t,oak_tree\nplant,r,rose\n", "1"),
    "columns up": ("animal,f,cat\nanimal,c,dog\nplant,t,oak_tree\nplant,r,rose\n", "-2"),
    "paths": ("animal/mammal/cat\nanimal/mammal/dog\nplant/oak_tree\nplant/rose\n", "1"),
    "arrows": ("all > animal > cat\nall > animal > dog\nall > plant > oak_tree\nall > plant > rose\n", None),
    "tree": (TREE, "2"),
    "tabs": (TREE.replace("  ", "\t"), "2"),
    "bullets": (TREE.replace("living", "- living").replace("  ", "    ").replace("animal", "- animal:"), "2"),
    "drawn": ("living\n├── animal\n│   ├── cat\n│   └── dog\n└── plant\n    ├── oak_tree\n    └── rose\n", None),
    "nested": (json.dumps(NESTED), "1"),
    "children": (json.dumps({"name": "living", "children": [
        {"name": "animal", "children": [{"name": "cat"}, {"name": "dog", "children": []}]},
        {"name": "plant", "children": [{"name": "oak_tree"}, {"name": "rose"}]}]}), None),
    "flat": (json.dumps(KINGDOMS), None),
    "flat deep": (json.dumps({**KINGDOMS, "animal": "living", "plant": "living"}), "2"),
    "records": (json.dumps([{"species": label, "kingdom": kind} for label, kind in KINGDOMS.items()]), None),
    "pairs": (json.dumps([[label, kind] for label, kind in KINGDOMS.items()]), None),
}  # fmt: skip


def read(path: Path, text: str, level: str | None = None, labels=LABELS):
    (path / "tree.txt").write_text(text)
    return read_hierarchy(path / "tree.txt", level).mapping(labels)


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_classes(form, tmp_path):
    text, level = FORMS[form]
    assert read(tmp_path, text, level) == KINGDOMS


def test_classes_in_the_names_of_the_labels():
    labels = ("001_animal_cat_felix", "002_animal_dog_rex", "003_plant_rose_x")
    expected = dict(zip(labels, ("animal", "animal", "plant"), strict=True))
    assert read_hierarchy("names:_", "2").mapping(labels) == expected
    assert read_hierarchy("names:_", "-2").mapping(labels) == expected
    assert read_hierarchy("names:/").mapping(("a/x", "a/y", "b/x")) == {"a/x": "a", "a/y": "a", "b/x": "b"}
    with pytest.raises(UsageError, match="no class at level 1"):
        read_hierarchy("names:/").mapping(("a/x", "y"))


def test_numbers_for_labels_without_names(tmp_path):
    np.savez(tmp_path / "d.npz", inputs=np.zeros((8, 2)), labels=np.arange(8) % 4)
    for text in ("0,0\n1,0\n2,1\n3,1\n", "0 7\n1 7\n2 30\n3 30\n", "fine,coarse\n0,a\n1,a\n2,b\n3,b\n"):
        (tmp_path / "map.csv").write_text(text)
        data = load(DataSource(f"npz:{tmp_path}/d.npz", hierarchy=read_hierarchy(tmp_path / "map.csv")))
        assert data.train.labels.tolist() == [0, 0, 1, 1] * 2 and data.train.sublabels.tolist() == [0, 1, 2, 3] * 2
    names = np.array(LABELS)
    np.savez(tmp_path / "named.npz", inputs=np.zeros((8, 2)), labels=np.arange(8) % 4, label_names=names)
    data = load(DataSource(f"npz:{tmp_path}/named.npz", hierarchy=read_hierarchy(tmp_path / "map.csv")))
    assert data.described["hierarchy"] == {"cat": "a", "dog": "a", "oak_tree": "b", "rose": "b"}
    again = load(DataSource(f"npz:{tmp_path}/named.npz", hierarchy=data.described["hierarchy"]))
    assert again.digest == data.digest and again.label_names == data.label_names


@pytest.mark.parametrize(
    ("text", "level", "words"),
    [
        ("cat,animal\ndog,animal\nrose,plant\n", None, r"no class at level 1.*\n  oak_tree: -"),
        ("cat,animal\ncat,pet\ndog,animal\noak_tree,plant\nrose,plant\n", None, r"several.*\n  cat: animal, pet"),
        ("subclass,class\ncat,\ndog,animal\noak_tree,plant\nrose,plant\n", None, r"no class.*\n  cat: -"),
        ("a cat\nb cat\na dog\nb oak_tree\nb rose\nr a\nr b\n", "2", r"several classes at level 2.*\n  cat: a, b"),
        (TREE, None, r"several levels.*1 \(1 classes\), 2 \(2 classes\), 3 \(3 classes\)"),
        (TREE, "7", r"no level '7'.*1 \(1 classes\)"),
        (TREE, "mammal", "no level 'mammal'"),
        (TREE.replace("      rose", "  rose"), "3", r"no class at level 3.*\n  rose: -"),
        ("child,parent\ncat,a\na,b\nb,a\ndog,a\noak_tree,a\nrose,b\n", None, "cycle"),
        ("label,fam,king\ncat,f,a\ndog,c,a\noak_tree,t,p\nrose,t,p\n", None, r"several levels.*fam \(3 .*king \(2 "),
        ("one\ntwo\n", None, "an unknown form"),
        ("", None, "an unknown form"),
        ("{1", None, "not JSON"),
        (json.dumps(TWICE), None, r"several classes.*\n  rose"),
    ],
)  # fmt: skip
def test_no_label_is_dropped_silently(text, level, words, tmp_path):
    with pytest.raises(UsageError, match=words):
        read(tmp_path, text, level)


def test_nodes_of_one_name_in_two_places_are_two_classes(tmp_path):
    text = json.dumps({"a": {"other": ["cat"], "x": ["dog"]}, "b": {"other": ["oak_tree", "rose"]}})
    assert read(tmp_path, text, "2") == {"cat": "a/other", "dog": "x", "oak_tree": "b/other", "rose": "b/other"}


def test_cifar100_by_every_form_of_its_table(tmp_path):
    """Against the names and numbers that the data set itself ships."""
    labels = SHARED / "data" / "cifar100" / "labels.npz"
    if not labels.exists():
        pytest.skip("CIFAR-100 is not at hand, so its hierarchy is not compared")
    meta = np.load(labels)
    coarse, fine = meta["coarse_names"].tolist(), meta["fine_names"].tolist()
    known = {name: coarse[parent] for name, parent in zip(fine, meta["coarse_of_fine"], strict=True)}
    table = {superclass: members.split() for superclass, members in CIFAR100_SUPERCLASSES.items()}
    pairs = [(member, superclass) for superclass, members in table.items() for member in members]
    texts = [
        json.dumps(table),
        "".join(f"{a},{b}\n" for a, b in pairs),
        "".join(f"{b} {a}\n" for a, b in pairs),
        "".join(f"{b}\n" + "".join(f"  {a}\n" for a in members) for b, members in table.items()),
        "".join(f"{b}/{a.replace('_', ' ')}\n" for a, b in pairs),
    ]
    for text in texts:
        assert read(tmp_path, text, labels=fine) == known
    with pytest.raises(UsageError, match=r"no class.*\n  beaver"):
        read(tmp_path, texts[1].replace("beaver", "castor"), labels=fine)
