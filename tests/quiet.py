"""A log that says nothing to anybody."""


class Quiet:
    """`events`: the names of what it was told, in order."""

    def __init__(self) -> None:
        self.events: list[str] = []

    def info(self, event: str, **fields: str | float) -> None:
        self.events.append(event)

    warning = info
