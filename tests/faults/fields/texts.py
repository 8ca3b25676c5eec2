"""Fields of text: records, tables of runs in the forms of JSON that tools write, delimited tables, grids, lists."""

import json
from collections.abc import Iterator
from functools import partial

from tests.faults import nasty
from tests.faults.fields.change import MARK, MISSING, REFUSED, Try, changes, commands, filled, json_changes
from tests.faults.files import Good


def records(good: Good) -> Iterator[Try]:
    first, *others = good.records()
    chain = (
        ("inspect", "r.jsonl"),
        ("rank", "r.jsonl"),
        ("plot", "scatter", "r.jsonl", "-o", "f.svg", "-q"),
        ("report", "r.jsonl", "-o", "r.html", "-q"),
    )
    for name, text in json_changes(first, most=2):
        yield f"record {name}", partial(_record_file, good, text, others, chain)


def _record_file(good, text, others, chain):
    _text_file(good, "r.jsonl", "\n".join([text(), *map(json.dumps, others)]), chain)


def runs(good: Good) -> Iterator[Try]:
    forms = _forms_of_runs()
    for form, (file, content, more) in forms.items():
        chain = (("rank", good.record_file, "--runs", file, "--measures", "c3", *more), ("inspect", "missing"))[:1]
        for name, text in json_changes(content, depth=3, most=2):
            yield f"runs {form} {name}", partial(_text_file, good, file, text, chain)


def tables(good: Good) -> Iterator[Try]:
    for form, (header, rows, separator) in _forms_of_tables().items():
        ranks = ("rank", "t.csv", "--hparams", "lr,bs", "--target", "gap", "--measures", "m1,m2")
        runs = ("rank", good.record_file, "--runs", "t.csv", "--measures", "c3")
        chains = {"ranked": (ranks,), "runs": (runs,)}
        for use, chain in chains.items():
            for row in (0, 2):
                for column, title in enumerate(header):
                    for name, cell in {**nasty.cells(), MISSING: None}.items():
                        lines = [list(header), *map(list, rows)]
                        if cell is None:
                            del lines[row][column]
                        else:
                            lines[row][column] = cell
                        text = "\n".join(separator.join(line) for line in lines) + "\n"
                        yield (
                            f"table {form} {use} row {row} {title} = {name}",
                            partial(_text_file, good, "t.csv", text, chain),
                        )


def grids(good: Good) -> Iterator[Try]:
    content = good.grid()
    chain = (
        ("train", "--preset", "g.toml", "--list"),
        good.train,
    )
    texts = nasty.toml_values()
    for change, made in changes(content, {name: f"{MARK}{name}" for name in texts}, depth=4, most=9):
        text = partial(filled, good.toml, made, change, texts)
        yield f"grid {change}", partial(_text_file, good, "g.toml", text, chain, (1, *REFUSED))


def lists(good: Good) -> Iterator[Try]:
    """Smaller files: the index of a checkpoint in parts, tables of models, hierarchies, lists of inputs."""
    for form, (file, content, chain) in good.lists().items():
        for name, text in json_changes(content, depth=4, most=3):
            yield f"list {form} {name}", partial(_text_file, good, file, text, chain)


def _text_file(good, file, text, chain, allowed=REFUSED):
    folder = good.fresh()
    path = folder / file
    path.parent.mkdir(parents=True, exist_ok=True)
    good.beside(folder, file)
    path.write_bytes((text if isinstance(text, str) else text()).encode(errors="surrogateescape"))
    commands(path, *chain, allowed=allowed)


def _forms_of_runs():
    """Name, content and further options of tables of runs, in the forms of JSON that tools write."""
    rows = [
        {"checkpoint": f"net{n}.pt", "lr": 0.1 * (1 + n % 2), "bs": 1 + n // 2, "test_accuracy": 0.5 + 0.1 * n}
        for n in range(4)
    ]
    nested = [
        {"name": row["checkpoint"], "config": {"lr": row["lr"], "m": {"w": 1}}, "summary": {"test_accuracy": 0.5}}
        for row in rows
    ]
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    by_column = {name: {str(i): row[name] for i, row in enumerate(rows)} for name in rows[0]}
    by_row = {row["checkpoint"]: {key: row[key] for key in ("lr", "bs", "test_accuracy")} for row in rows}
    split = {"columns": list(rows[0]), "index": [0, 1, 2, 3], "data": [list(row.values()) for row in rows]}
    ray = {
        **rows[0],
        "checkpoint": "net0.pt",
        "trial_id": "a",
        "training_iteration": 3,
        "config": {"lr": 0.1},
        "time_total_s": 3.0,
    }
    evaluation = {
        "results": {"task": {"acc,none": 0.5, "alias": "task"}},
        "config": {"model_args": {"pretrained": "net0.pt"}},
        "model_name": "a",
    }
    return {
        "list": ("runs.json", rows, ()),
        "nested": ("runs.json", nested, ()),
        "columns": ("runs.json", columns, ()),
        "by column": ("runs.json", by_column, ()),
        "by row": ("runs.json", by_row, ()),
        "split": ("runs.json", split, ()),
        "table": ("runs.json", {"schema": {"fields": []}, "data": rows}, ()),
        "ray": ("a/result.json", ray, ()),
        "lm-eval": ("runs.json", evaluation, ()),
    }


def _forms_of_tables():
    header = ("name", "lr", "bs", "seed", "gap", "m1", "m2")
    rows = [
        (f"net{n}.pt", str(0.1 * (n % 2)), str(n // 2), "0", str(n * 0.01), str(n * n % 7), str(-n)) for n in range(4)
    ]
    wandb = ("Name", "State", "Created", "lr", "bs", "gap", "m1", "m2", "config")
    runs = [(*row[:1], "finished", "today", *row[1:3], *row[4:], "{'a': 1}") for row in rows]
    return {"plain": (header, rows, ","), "semicolons": (header, rows, ";"), "wandb": (wandb, runs, ",")}
