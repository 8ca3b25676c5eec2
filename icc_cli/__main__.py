"""The `icc` command, and `python -m icc_cli`."""

from icc_cli import signals


def main() -> None:
    """Entry point of the `icc` command."""
    signals.leave_at_once()  # what is imported next takes a while
    from icc_cli.cli import main as run

    run()


if __name__ == "__main__":
    main()
