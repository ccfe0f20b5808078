"""One pipeline file, read and compiled, with everything that is wrong with it."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, ValidationError

from postroom.errors import Located, Problem
from postroom.model import Model
from postroom.pipeline.condition import Condition
from postroom.pipeline.conditions import compile_condition
from postroom.pipeline.pipeline import Pipeline, Rule
from postroom.pipeline.step import Step
from postroom.settings.document import Document, Source, Trail, parse_document, read_octets, shown
from postroom.settings.load import ordered
from postroom.settings.sentences import EMPTY, problems
from postroom.settings.spelling import Name
from postroom.settings.words import Words


class RuleText(Model):
    """One rule: when its condition holds, its steps are done."""

    model_config = ConfigDict(defer_build=True)

    name: Annotated[str, Field(min_length=1, max_length=200)] = Field(
        description="What explain, logs and metrics call it; each name stands once in a file."
    )
    when: Any = Field(default=None, description="The condition; absent: always.")
    do: Any = Field(description="What to do: one step or a list of steps, in order.")


class PipelineText(Model):
    """A pipeline: rules in order, and the tests that they pass."""

    model_config = ConfigDict(title="Pipeline", defer_build=True)

    name: Name = Field(default="", description="The file's name without .yaml.")
    description: str = Field(default="", description="What it is for, in a sentence.")
    match: Literal["all", "first"] = Field(
        default="all", description="`all` rules that hold are done, or only the `first`."
    )
    rules: Annotated[tuple[RuleText, ...], Field(min_length=1)] = Field(description="The rules, in order.")
    tests: tuple[dict[str, Any], ...] = Field(default=(), description="Messages and what is expected of them.")


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleEntry:
    """A rule as far as it could be compiled, and where its parts stand."""

    trail: Trail
    name: str
    conditional: bool
    asks: object = field(repr=False)  # what stands under `when`
    when: Condition | None
    steps: tuple[tuple[Trail, Step], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineFile:
    """A pipeline, its tests as written, and the places: `source.locate(Problem(("tests", 0), …))`."""

    pipeline: Pipeline
    description: str
    tests: tuple[tuple[int, Mapping[str, Any]], ...]  # with their number in the file, from 0
    path: Path
    source: Source
    entries: tuple[RuleEntry, ...] = field(repr=False)
    problems: tuple[Located, ...]


def read_pipeline(path: Path, words: Words) -> PipelineFile:
    """Compile what can be compiled; `problems` holds the rest. Raises Misconfigured for what is no YAML."""
    raw = read_octets(path, shown(path))
    document = parse_document(raw, shown(path))
    wrong: list[Problem] = list(_shape(document.data, path.stem))
    entries = tuple(_entries(document.data, path.parent, words, wrong))
    wrong += _names(entries)
    located = [document.source.locate(one) for one in wrong]
    return _file(path, hashlib.sha256(raw).hexdigest()[:16], document, entries, ordered(document, located))


def _file(
    path: Path, version: str, document: Document, entries: tuple[RuleEntry, ...], found: list[Located]
) -> PipelineFile:
    data = document.data if isinstance(document.data, dict) else {}
    pipeline = Pipeline(
        name=path.stem,
        version=version,
        rules=tuple(_rule(entry, document.source) for entry in entries),
        match="first" if data.get("match") == "first" else "all",
    )
    tests = data.get("tests")
    return PipelineFile(
        pipeline=pipeline,
        description=str(data.get("description", "")),
        tests=tuple((n, test) for n, test in enumerate(tests) if isinstance(test, dict))
        if isinstance(tests, list)
        else (),
        path=path,
        source=document.source,
        entries=entries,
        problems=tuple(found),
    )


def _rule(entry: RuleEntry, source: Source) -> Rule:
    line, _ = source.values[entry.trail]
    return Rule(name=entry.name, when=entry.when, do=tuple(step for _, step in entry.steps), line=line)


def _shape(data: object, stem: str) -> Iterator[Problem]:
    if data is None:
        yield Problem((), "the file is empty; a pipeline needs `rules`")
        return
    if isinstance(data, dict) and isinstance(named := data.get("name", stem), str) and named != stem:
        yield Problem(("name",), f"must be `{stem}`, as the file is named")
    try:
        PipelineText.model_validate_json(json.dumps(data), strict=True, by_alias=True, by_name=False)
    except ValidationError as error:
        yield from problems(error, data, PipelineText)


def _entries(data: object, directory: Path, words: Words, wrong: list[Problem]) -> Iterator[RuleEntry]:
    rules = data.get("rules") if isinstance(data, dict) else None
    for number, rule in enumerate(rules if isinstance(rules, list) else []):
        if not isinstance(rule, dict):
            continue  # told already
        trail: Trail = ("rules", number)
        when = None
        if "when" in rule:
            when = _condition(rule["when"], (*trail, "when"), directory, wrong)
        steps = words.steps(rule["do"], (*trail, "do"), wrong) if "do" in rule else []
        yield RuleEntry(
            trail=trail,
            name=rule["name"] if isinstance(rule.get("name"), str) else "",
            conditional="when" in rule,
            asks=rule.get("when"),
            when=when,
            steps=tuple(steps),
        )


def _condition(data: object, trail: Trail, directory: Path, wrong: list[Problem]) -> Condition | None:
    if data is None:
        wrong.append(Problem(trail, f"{EMPTY}; leave `when` out where a rule is for every message"))
        return None
    return compile_condition(data, trail, wrong, directory=directory)


def _names(entries: tuple[RuleEntry, ...]) -> Iterator[Problem]:
    first: dict[str, int] = {}
    for number, entry in enumerate(entries, 1):
        if entry.name and first.setdefault(entry.name, number) != number:
            told = f"rule {first[entry.name]} has this name too; logs and traces could not tell them apart"
            yield Problem((*entry.trail, "name"), told)
