"""Postroom: mail processing by rules that people write in YAML."""

__version__ = "0.1.0"
