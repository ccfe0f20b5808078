"""docs/steps.md."""

import inspect
from textwrap import dedent
from typing import Final

from postroom.pipeline.step import Step
from postroom.reference.entries import entries, table
from postroom.settings.words import main_option
from postroom.steps import STEPS, step

KINDS: Final = {
    "scan": ("Scanning", "They add facts that later conditions and templates ask for."),
    "edit": ("Editing", "They change the message that later steps see; every other octet stays."),
    "home": ("In the mailbox", "They say where the message itself ends up, and with which flags."),
    "act": ("Elsewhere", "They act in the world outside of the mailbox."),
    "steer": ("Steering", "They say which rules come next."),
}


def page() -> str:
    """Each step under its own heading, by kind."""
    found = [step(word) for word in STEPS]
    text = "".join(f"- {name}: {_links(found, kind)}\n" for kind, (name, _) in KINDS.items())
    for kind, (name, about) in KINDS.items():
        text += f"\n## {name}\n\n{about}\n" + "".join(_section(one) for one in found if one.kind == kind)
    return text


def _links(found: list[type[Step]], kind: str) -> str:
    return " ".join(f"[`{one.word}`](#{one.word})" for one in found if one.kind == kind)


def _section(found: type[Step]) -> str:
    prose, example = parts(found)
    text = f"\n### `{found.word}`\n\n{prose}\n\n```yaml\n{example}\n```\n"
    rows = list(entries(found))
    if not rows:
        return text
    short = f"\n`{found.word}: value` sets `{main_option(found)}`.\n" if found.main else ""
    return f"{text}{short}\n{table(rows, 'option')}"


def parts(found: type[Step]) -> tuple[str, str]:
    """A step's docstring: what it says, and the list of examples at its end."""
    lines = inspect.cleandoc(found.__doc__ or "").splitlines()
    start = next(number for number, line in enumerate(lines) if line.lstrip().startswith("- "))
    return "\n".join(lines[:start]).strip(), dedent("\n".join(lines[start:])).strip()
