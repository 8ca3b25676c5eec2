"""`icc inspect`."""


def inspect() -> None:
    """Not written yet."""
