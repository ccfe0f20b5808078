"""A pipeline: named rules in order, compiled from one YAML file."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from postroom.pipeline.condition import Condition
from postroom.pipeline.step import Step


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    name: str
    when: Condition | None  # None: always
    do: tuple[Step, ...]
    line: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline:
    name: str
    version: str  # hash of the file: two plans with the same version were made by the same rules
    rules: tuple[Rule, ...]
    match: Literal["all", "first"] = "all"


Pipelines = Mapping[str, Pipeline]
