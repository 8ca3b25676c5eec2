"""`icc rank`."""


def rank() -> None:
    """Not written yet."""
