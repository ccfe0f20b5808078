"""A pipeline: named rules in order, compiled from one YAML file."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from postroom.pipeline.condition import Condition
from postroom.pipeline.ruleindex import RuleIndex
from postroom.pipeline.step import Step


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    name: str
    when: Condition | None  # None: always
    do: tuple[Step, ...]
    line: int = 0


@dataclass(frozen=True, kw_only=True)
class Pipeline:
    name: str
    version: str  # hash of the file: two plans with the same version were made by the same rules
    rules: tuple[Rule, ...]
    match: Literal["all", "first"] = "all"

    @cached_property
    def index(self) -> RuleIndex:
        """Finds the rules that can hold; made when a message first needs it."""
        return RuleIndex(self.name, [rule.when for rule in self.rules])


Pipelines = Mapping[str, Pipeline]
