"""The default search of `icc sharpness` against the authors' bisection, on really trained networks, in one run.

    icc train --preset smoke --data digits --per-class 80 --epochs 12 -o big/
    python benchmarks/sharpness.py big/ [--networks 12] [--seeds 4] [--mode random|worst] [--tolerance 0.05]

Both searches run on every network with every seed, and precise runs of the default (other seeds: one at 0.8 %, four
of ascents) stand for the truth. A method's error is the root mean square of log(1/m) from theirs, over seeds and
networks: the spread over seeds alone would not do, since bisection often stops at one point of its grid whatever the
seed. For each measure: the networks on which the two agree within two standard errors of the difference (the
reference's from its error over all networks, the default's as it states it), the mean of log(reference / default),
which would show a bias, Kendall's tau of the two orders, sample passes, and their ratio: as run, and times the squared
errors. A --tolerance at which both errors are alike makes the ratio as run that at equal error.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from scipy.stats import kendalltau

from icc_cli.checkpoints import load_into, read
from icc_cli.data import DataSource, load
from icc_cli.models.spec import ModelSpec, build
from icc_cli.perturbation.estimate import Estimate, Settings
from icc_cli.perturbation.samples import chosen, of_split
from icc_cli.perturbation.sharpness import sharpness_on
from icc_cli.subject import Normalisation

METHODS = ("reference", "sequential")
PRECISE, PRECISE_SEEDS = 0.008, 4


def estimates(
    path: Path, settings: Settings, seeds: int, seed_name: str = ""
) -> tuple[dict[str, list[Estimate]], float]:
    """Estimates of each measure, one per seed, of the checkpoint, and the seconds they took."""
    checkpoint = read(path, None, False)
    known = checkpoint.data
    data = load(DataSource(known["spec"], per_class=known["per_class"], image_size=known.get("image_size")))
    network = build(ModelSpec(checkpoint.model["spec"], checkpoint.model["args"]))
    load_into(network, checkpoint, "")
    normalisation = Normalisation(tuple(known["mean"]), tuple(known["std"]))
    samples = of_split(data.train, normalisation, torch.device("cpu"), chosen(len(data.train), None, 0))
    found: dict[str, list[Estimate]] = {}
    start = time.perf_counter()
    for seed in range(seeds):
        result = sharpness_on(network, samples, settings, f"{seed_name}{seed}")
        for name, estimate in result.estimates.items():
            found.setdefault(name, []).append(estimate)
    return found, time.perf_counter() - start


def main() -> None:
    cli = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cli.add_argument("checkpoints", type=Path)
    cli.add_argument("--networks", type=int, default=12)
    cli.add_argument("--seeds", type=int, default=4)
    cli.add_argument("--mode", default="random")
    cli.add_argument("--tolerance", type=float, default=Settings().tolerance)
    cli.add_argument("--ascent-steps", type=int, default=250)
    args = cli.parse_args()
    worst = args.mode == "worst"
    precise = Settings(modes=(args.mode,), ascent_steps=args.ascent_steps, tolerance=PRECISE)
    torch.set_num_threads(1)
    files = sorted(args.checkpoints.glob("*.pt"))
    files = [files[round(i * len(files) / args.networks)] for i in range(args.networks)]
    rows: dict[str, dict[str, list[list[Estimate]]]] = {}
    seconds = dict.fromkeys(METHODS, 0.0)
    truths: dict[str, list[float]] = {}
    for path in files:
        for name, values in estimates(path, precise, PRECISE_SEEDS if worst else 1, "precise")[0].items():
            truths.setdefault(name, []).append(float(np.exp(np.log(inverses(values)).mean())))
        for method in METHODS:
            settings = Settings(
                method=method, modes=(args.mode,), ascent_steps=args.ascent_steps, tolerance=args.tolerance
            )
            found, spent = estimates(path, settings, args.seeds)
            seconds[method] += spent
            for name, values in found.items():
                rows.setdefault(name, {}).setdefault(method, []).append(values)
                if method == METHODS[-1]:
                    print(f"{name:18} {compared(*(rows[name][m][-1] for m in METHODS))}  {path.stem}", flush=True)
    for name, by_method in rows.items():
        print(f"\n{name}: {len(files)} networks, {args.seeds} seeds")
        summary(by_method, truths[name])
    print("\nseconds: " + ", ".join(f"{method} {spent:.0f}" for method, spent in seconds.items()))


def inverses(values: list[Estimate]) -> np.ndarray:
    return np.array([np.nan if value.inverse is None else value.inverse for value in values])


def compared(reference: list[Estimate], ours: list[Estimate]) -> str:
    outcomes = {value.outcome for value in (*reference, *ours)}
    if outcomes != {"converged"}:
        return f"{', '.join(sorted(outcomes))}: {inverses(reference)} {inverses(ours)}"
    texts = [f"{inverses(v).mean():9.4f} {sum(e.passes for e in v) / len(v):9.0f}" for v in (reference, ours)]
    return "   ".join(texts)


def summary(by_method: dict[str, list[list[Estimate]]], truths: list[float]) -> None:
    pairs = list(zip(*(by_method[m] for m in METHODS), strict=True))
    usable = [{v.outcome for values in pair for v in values} == {"converged"} for pair in pairs]
    kept = [pair for pair, use in zip(pairs, usable, strict=True) if use]
    truth = np.array([value for value, use in zip(truths, usable, strict=True) if use])
    logs = [np.log(np.array([inverses(pair[i]) for pair in kept])) for i in range(2)]
    errors = [float(np.sqrt(np.mean((values - np.log(truth)[:, None]) ** 2))) for values in logs]
    stated = np.array([[v.standard_error / v.inverse for v in pair[1]] for pair in kept])
    seeds = stated.shape[1]
    difference = logs[0].mean(1) - logs[1].mean(1)
    z = difference / np.sqrt(errors[0] ** 2 / seeds + (stated**2).mean(1) / seeds)
    print(f"  converged in both: {len(kept)}; within two standard errors: {(np.abs(z) <= 2).sum()}")
    spread = difference.std(ddof=1) / len(kept) ** 0.5
    print(f"  mean log(reference / default): {difference.mean():.4f} +- {spread:.4f}")
    print(f"  Kendall's tau of the two orders: {kendalltau(logs[0].mean(1), logs[1].mean(1)).statistic:.3f}")
    passes = [np.mean([v.passes for pair in kept for v in pair[i]]) for i in range(2)]
    for name, spent, error in zip(METHODS, passes, errors, strict=True):
        print(f"  {name:10} {spent:9.0f} sample passes, relative error {error:.4f}")
    print(f"  stated relative error of the default {np.sqrt((stated**2).mean()):.4f}")
    print(
        f"  ratio of sample passes: {passes[0] / passes[1]:.1f} as run, "
        f"{passes[0] * errors[0] ** 2 / (passes[1] * errors[1] ** 2):.1f} at equal error"
    )


if __name__ == "__main__":
    main()
