"""Why a measure has no value."""


class Absent(Exception):
    """Raised by a measure that has no value: `reason` is a clause, such as "there is one class"."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
