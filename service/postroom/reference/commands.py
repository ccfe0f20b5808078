"""docs/commands.md."""

from argparse import Action
from collections.abc import Iterable, Iterator
from typing import Any

import typer

from postroom.cli import filter as filtering
from postroom.cli.main import app


def page() -> str:
    """Each command under its own heading."""
    return "".join(_section(name, command) for name, command in _commands())


def _commands() -> Iterator[tuple[str, Any]]:
    found: Any = typer.main.get_command(app)
    return iter(found.commands.items())


def _section(name: str, command: Any) -> str:
    rows = list(_filter() if name == "filter" else map(_row, command.params))
    usage = " ".join([f"postroom {name}", "[OPTIONS]", *(row[0] for row in rows if not row[0].startswith("-"))])
    text = f"\n## `{name}`\n\n{command.help}\n\n```text\n{usage}\n```\n\n"
    return text + "| option | |\n|---|---|\n" + "".join(f"| `{first}` | {about} |\n" for first, about in rows)


def _row(parameter: Any) -> tuple[str, str]:
    about = parameter.help or ""
    value = parameter.metavar or parameter.name.upper().replace("_", "-")
    if parameter.param_type_name == "argument":
        return value if parameter.required or value.startswith("[") else f"[{value}]", about
    names = " / ".join((*parameter.opts, *parameter.secondary_opts))
    return names if parameter.is_flag else f"{names} {value}", f"{about} Required." if parameter.required else about


def _filter() -> Iterable[tuple[str, str]]:
    actions: list[Action] = filtering.parser()._actions
    for action in actions:
        yield " ".join([*action.option_strings, *([str(action.metavar)] if action.metavar else [])]), action.help or ""
