"""Everything under `when`: fields, patterns, and how answers are joined."""

from postroom.pipeline.conditions.compiling import compile_condition
from postroom.pipeline.conditions.schema import condition_schema

__all__ = ["compile_condition", "condition_schema"]
