"""`icc extract`."""


def extract() -> None:
    """Not written yet."""
