"""Where a path of a pipeline leads: relative ones below a directory of ours, `~` at the home directory."""

import os
from pathlib import Path

from postroom.model import Model
from postroom.pipeline.templates import PathTemplate
from postroom.pipeline.tools import Tools
from postroom.pipeline.view import View


class Location(Model):
    """A rendered path. `root`: the part in front of the first value, which nothing leaves; `shown`: as
    written.
    """

    root: str
    path: str
    shown: str

    @property
    def at(self) -> Path:
        return Path(self.path)

    @property
    def below(self) -> Path:
        return Path(self.root)


def located(template: PathTemplate, view: View, tools: Tools, *, below: Path) -> Location:
    """Where the template leads for this message."""
    shown = template.render(view, tools)
    return Location(
        root=str(_absolute(template.root, template, below)),
        path=str(_absolute(shown, template, below)),
        shown=shown,
    )


def _absolute(text: str, template: PathTemplate, below: Path) -> Path:
    # Only a `~` that the operator wrote with its whole segment means a home directory, never one of a
    # value's.
    if template.root.startswith("~"):
        text = os.path.expanduser(text)  # noqa: PTH111 - Path would raise where no home is known
    return below / text
