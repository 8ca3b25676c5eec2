"""The `icc` command, and `python -m icc_cli`."""

import gc
import sys

from icc_cli import signals

OBJECTS = 100_000
"""New ones between two searches for cycles. Python's 700 would have a command's imports searched a hundred times."""


def main() -> None:
    """Entry point of the `icc` command."""
    signals.leave_at_once()  # what is imported next takes a while
    gc.set_threshold(OBJECTS)
    from icc_cli.cli import main as run

    try:
        run()
    finally:
        if "torch" not in sys.modules:  # whose bindings complain of what is not freed
            gc.freeze()  # all that is left ends with the process: to search it takes longer than a ranking


if __name__ == "__main__":
    main()
