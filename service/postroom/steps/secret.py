"""Secrets that steps name and postroom.yaml holds: fetched when they are used, never kept in a plan."""

from postroom.errors import Temporary
from postroom.pipeline.tools import Tools


def secret(name: str, tools: Tools) -> str:
    """The secret of that name, of several the first. Raises Temporary, also where the settings name it no more."""
    if name not in tools.secrets:
        raise Temporary(f"postroom.yaml has no secret `{name}`")
    return tools.secrets[name]()
