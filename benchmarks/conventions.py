"""One matrix under the conventions of public implementations, beside icc's: the table of docs/measures.md.

    python benchmarks/conventions.py

Features of 600 samples in 3 unequal classes (300, 200, 100) and 40 dimensions whose scales fall by a factor of 100,
from a fixed seed.
"""

import numpy as np

import icc_cli
from icc_cli.extraction.in_memory import Activations, HeldHead, HeldSite


def matrix() -> tuple[np.ndarray, np.ndarray]:
    """F (600, 40) float32, at least 0, and labels (600,), in order."""
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(3), (300, 200, 100))
    scales = np.geomspace(1, 0.01, 40)
    features = (rng.normal(size=(3, 40))[labels] + rng.normal(size=(600, 40))) * scales
    return np.maximum(features, 0).astype(np.float32), labels


def ours(features: np.ndarray, labels: np.ndarray, names: list[str]) -> dict[str, float]:
    """icc's values over a head whose inputs are `features`."""
    head = HeldHead(HeldSite("head", "head", 1, features), np.eye(3, 40, dtype=np.float32), np.zeros(3, np.float32))
    site = HeldSite("site", "dense", 1, features)
    found = icc_cli.measure(
        Activations((site,), np.arange(len(labels)), labels, None, labels, head=head), measures=names
    )
    return {name: float(found[name] or 0) for name in names}


def neighbours(features: np.ndarray, labels: np.ndarray) -> list[tuple[str, str, float]]:
    """(measure, convention, value) as others define it."""
    f = features.astype(np.float64)
    groups = [f[labels == k] for k in range(3)]
    means = np.array([group.mean(axis=0) for group in groups])
    pooled = sum((group - mean).T @ (group - mean) for group, mean in zip(groups, means, strict=True)) / len(f)
    between = np.cov(means.T, bias=True)
    single = np.linalg.pinv(between.astype(np.float32))
    sigma = np.linalg.svd(f, compute_uv=False)
    centred = np.linalg.svd(f - f.mean(axis=0), compute_uv=False)
    units = f / np.maximum(np.linalg.norm(f, axis=1, keepdims=True), 1e-300)
    distances = 1 - units @ units.T
    same = labels[:, None] == labels
    others = ~np.eye(len(f), dtype=bool)
    return [
        ("nc1", "S_W over samples, not over classes", np.trace(pooled @ np.linalg.pinv(between, rcond=1e-10)) / 3),
        ("nc1", "without the division by K", 3 * ours(features, labels, ["nc1"])["nc1"]),
        ("nc1", "pseudo-inverse in float32, default cutoff", float(np.trace(pooled @ single)) / 3),
        (
            "class_separation",
            "over samples, without self-pairs",
            1 - distances[same & others].mean() / distances[others].mean(),
        ),
        ("effective_rank", "RankMe: 1e-7 added to each p", _entropy(sigma / sigma.sum() + 1e-7)),
        ("effective_rank", "squared singular values", _entropy(sigma**2 / np.sum(sigma**2))),
        ("effective_rank", "centred features", _entropy(centred / centred.sum())),
        ("participation_ratio", "not centred", np.sum(sigma**2) ** 2 / np.sum(sigma**4)),
        ("intrinsic_dimension", "maximum likelihood, all samples", _likelihood(f)),
    ]


def _entropy(p: np.ndarray) -> float:
    return float(np.exp(-np.sum(p * np.log(p))))


def _likelihood(f: np.ndarray) -> float:
    distances = np.sort(np.linalg.norm(f[:, None] - f, axis=2), axis=1)
    return float((len(f) - 1) / np.sum(np.log(distances[:, 2] / distances[:, 1])))


def table() -> list[str]:
    """The lines of the table, in Markdown."""
    features, labels = matrix()
    found = neighbours(features, labels)
    names = list(dict.fromkeys(name for name, _, _ in found))
    lines = ["| measure | convention | value |", "| --- | --- | --- |"]
    for name, value in ours(features, labels, names).items():
        lines.append(f"| `{name}` | icc | {value:.4g} |")
        lines += [f"| | {how} | {other:.4g} |" for one, how, other in found if one == name]
    return lines


if __name__ == "__main__":
    print("\n".join(table()))
