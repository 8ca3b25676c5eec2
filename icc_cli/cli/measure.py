"""`icc measure`."""


def measure() -> None:
    """Not written yet."""
