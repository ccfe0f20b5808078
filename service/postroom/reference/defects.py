"""docs/defects.md."""

from postroom.message.defects import Defect
from postroom.reference.entries import docstrings


def page() -> str:
    """Each defect under its own heading."""
    told = docstrings(Defect)
    return "".join(f"\n## `{defect}`\n\n{told[defect.name]}\n" for defect in Defect)
