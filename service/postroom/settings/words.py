"""Entries under `do` as steps: `word`, `word: value` or `word: {options}`."""

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import BeforeValidator, ValidationError

from postroom.errors import Problem
from postroom.pipeline.step import Step
from postroom.settings.document import Trail
from postroom.settings.sentences import BOOL, EMPTY, NUMBER, WHOLE, problems
from postroom.steps import STEPS, step
from postroom.suggestions import suggestion

_FORM = "a step is `word`, `word: value` or `word: {option: value}`"


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """The steps that pipelines may name: our own and admitted plugins'. `defaults`: options where steps give none."""

    plugins: tuple[str, ...] = ()
    defaults: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def find(self, word: str) -> type[Step] | None:
        """The step behind a word; None: there is none."""
        if word in STEPS:
            return step(word)
        if word not in self.plugins:
            return None
        from postroom.steps.plugins import plugin  # scans installed packages: only where there are any

        return plugin(word)

    def steps(self, data: object, trail: Trail, wrong: list[Problem]) -> list[tuple[Trail, Step]]:
        """The steps of one `do`, each with its trail; what is wrong is added to `wrong`."""
        if data is None or data == []:
            wrong.append(Problem(trail, EMPTY if data is None else "must not be empty"))
            return []
        entries = [((*trail, n), entry) for n, entry in enumerate(data)] if isinstance(data, list) else [(trail, data)]
        made = (self._step(entry, place, wrong) for place, entry in entries)
        return [one for one in made if one is not None]

    def _step(self, entry: object, trail: Trail, wrong: list[Problem]) -> tuple[Trail, Step] | None:
        told = _misshapen(entry)
        if told:
            wrong.append(Problem(trail, told))
            return None
        word, value = (entry, {}) if isinstance(entry, str) else next(iter(_mapping(entry).items()))
        below = trail if isinstance(entry, str) else (*trail, word)
        found = self.find(word)
        if found is None:
            wrong.append(Problem(below, self._unknown(word), key=below != trail))
            return None
        if value is None:
            wrong.append(Problem(below, f"{EMPTY}: {_usage(found)}"))
            return None
        if not isinstance(value, dict) and found.main is None:
            wrong.append(Problem(below, f"`{word}` takes no value: {_usage(found, short=True)}"))
            return None
        one = self._made(found, value, below, wrong)
        return None if one is None else (below, one)

    def _made(self, found: type[Step], value: object, trail: Trail, wrong: list[Problem]) -> Step | None:
        main = main_option(found)
        short = not isinstance(value, dict)
        options = {main: value} if short else _mapping(value)
        before = len(wrong)
        wrong += [Problem((*trail, key), told) for key, told in _loose(found, options)]
        if len(wrong) > before:
            return None
        known = {one.alias or name for name, one in found.model_fields.items()}
        options = {key: one for key, one in self.defaults.items() if key in known} | options
        try:
            return found.model_validate(options, by_alias=True, by_name=False)
        except ValidationError as error:
            faults = problems(error, options, found, noun="option")
        for one in faults:
            path = one.path[1:] if short and one.path[:1] == (main,) else one.path
            wrong.append(Problem((*trail, *path), one.text, one.key))
        return None

    def _unknown(self, word: str) -> str:
        first, _, rest = word.partition(" ")
        if rest and first[-1] not in ",;" and self.find(first.rstrip(":")):
            return f"unknown step `{word}`; did you mean `{first.rstrip(':')}: {rest.strip()}`?"
        if len(several := [one.strip() for one in re.split("[,;]", word) if one.strip()]) > 1:
            return f"unknown step `{word}`; several steps are a list: `[{', '.join(several)}]`"
        return f"unknown step `{word}`{suggestion(word, (*STEPS, *self.plugins))}"


def main_option(found: type[Step]) -> str:
    """The option that `word: value` sets, as operators write it; empty where there is none."""
    field = found.model_fields.get(found.main or "")
    return (field.alias if field else None) or found.main or ""


def _misshapen(entry: object) -> str:
    if isinstance(entry, str):
        return "" if entry.strip() else _FORM
    if not isinstance(entry, dict) or not entry:
        return EMPTY if entry is None else _FORM
    if len(entry) > 1:
        return "one step per entry: begin each with `- `, and indent a step's options below its word"
    return ""


def _usage(found: type[Step], *, short: bool = False) -> str:
    options = [field.alias or name for name, field in found.model_fields.items()]
    if not options:
        return f"write `- {found.word}` alone"
    if short:
        return f"write `{found.word}: {{{options[0]}: …}}`"
    return f"`{found.word}` takes the options " + ", ".join(f"`{name}`" for name in options)


def _mapping(value: object) -> dict[str, Any]:
    assert isinstance(value, dict)
    return value


def _loose(found: type[Step], options: Mapping[str, object]) -> list[tuple[str, str]]:
    """Options without a value, and those where pydantic would take text for a number or a truth value."""
    wrong = [(key, EMPTY) for key, value in options.items() if value is None]
    for name, field in found.model_fields.items():
        key = field.alias or name
        if options.get(key) is None or any(isinstance(one, BeforeValidator) for one in field.metadata):
            continue
        value, kinds = options[key], _kinds(field.annotation)
        if kinds == {bool} and not isinstance(value, bool):
            wrong.append((key, BOOL))
        elif kinds and bool not in kinds and isinstance(value, (str, bool)):
            wrong.append((key, NUMBER if float in kinds else WHOLE))
    return wrong


def _kinds(annotation: object) -> set[object]:
    """The plain scalar that an option is, or may be beside None; empty where it is anything else."""
    kinds = set(get_args(annotation) or (annotation,)) - {type(None)}
    return kinds if kinds <= {bool, int, float} else set()
