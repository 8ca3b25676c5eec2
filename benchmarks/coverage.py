"""What the intervals of `icc rank` cover, and how often noise looks real: the simulations behind docs/ranking.md.

    python benchmarks/coverage.py [--studies 2000]

Prints the table of docs/ranking.md. The settings and what is taken for the truth are in tests/ranking/simulation.py,
whose quick form the test suite runs.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.ranking.simulation import BEYOND, SETTINGS, WIDER, coverage, false_findings


def shown(shares):
    """The mean share of the quantities of a kind, and the least."""
    mean, least = shares.mean(), shares.min()
    return f"{mean:.3f}".removeprefix("0") + (f" ({least:.3f})".replace("(0", "(") if shares.size > 1 else "")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", type=int, default=2000)
    studies = parser.parse_args().studies
    print(f"{studies} studies a setting; in parentheses the least share of a kind.\n")
    print("| setting | models | question | an axis | Psi | a lead |\n| --- | --- | --- | --- | --- | --- |")
    for setting in (*SETTINGS, *WIDER, *BEYOND):
        models = setting.seeds
        for count in setting.levels:
            models *= count
        for question, found in coverage(setting, studies).items():
            cells = [shown(found[kind]) if kind in found else "" for kind in ("axis", "Psi", "lead")]
            print(f"| {setting.name} | {models} | {question} | {' | '.join(cells)} |", flush=True)
    print("\n| 16 measures that say nothing | one has p < .05 | after Holm |\n| --- | --- | --- |")
    for setting in (SETTINGS[0], SETTINGS[2], SETTINGS[3], SETTINGS[5], *BEYOND):
        plain, corrected = false_findings(setting, studies)
        print(f"| {setting.name} | {plain:.3f} | {corrected:.3f} |", flush=True)


if __name__ == "__main__":
    main()
