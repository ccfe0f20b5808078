"""`${NAME}` in the texts of a configuration, replaced after parsing so that a value can never become YAML."""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace

from postroom.errors import Problem
from postroom.settings.document import Document, Trail

_VARIABLE = re.compile(r"\$\$\{|\$\{([A-Za-z_][A-Za-z0-9_]*)\}|\$\{")


def with_environment(document: Document, environment: Mapping[str, str]) -> Document:
    """The document with its variables filled in; `$${` becomes `${`. Missing ones are among its problems."""
    problems = list(document.problems)
    replaced: set[Trail] = set()

    def wrong(trail: Trail, told: str) -> str:
        problems.append(document.source.locate(Problem(trail, told)))
        return ""

    def text(value: str, trail: Trail) -> str:
        def one(found: re.Match[str]) -> str:
            if found[0] == "$${":
                return "${"
            if found[1] is None:
                return wrong(trail, "`${` begins a variable, `${NAME}`; write `$${` for the text itself")
            if found[1] not in environment:
                return wrong(trail, f"the environment variable {found[1]} is not set")
            replaced.add(trail)
            return environment[found[1]]

        return _VARIABLE.sub(one, value) if "${" in value else value

    data = _mapped(document.data, (), text)
    source = replace(document.source, replaced=frozenset(replaced))
    return replace(document, data=data, source=source, problems=tuple(problems))


def _mapped(value: object, trail: Trail, text: Callable[[str, Trail], str]) -> object:
    if isinstance(value, str):
        return text(value, trail)
    if isinstance(value, dict):
        return {key: _mapped(item, (*trail, key), text) for key, item in value.items()}
    if isinstance(value, list):
        return [_mapped(item, (*trail, n), text) for n, item in enumerate(value)]
    return value
