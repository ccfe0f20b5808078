"""Everything under `when`: fields, patterns, and how answers are joined."""

from postroom.pipeline.conditions.compiling import compile_condition

__all__ = ["compile_condition"]
