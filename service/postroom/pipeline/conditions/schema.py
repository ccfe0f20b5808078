"""The JSON Schema (2020-12) of `when`."""

from typing import Any

from postroom.pipeline.comparisons import WEEKDAYS
from postroom.pipeline.conditions import fields
from postroom.pipeline.conditions.addresses import PARTS
from postroom.pipeline.conditions.catalogue import CATALOGUE
from postroom.pipeline.conditions.moments import MOMENTS

Schema = dict[str, Any]
_CONDITION = {"$ref": "#/$defs/condition"}
_TEXT = {"$ref": "#/$defs/text"}
_PATTERNS = {"$ref": "#/$defs/patterns"}
_EXISTS = {
    "type": "object",
    "properties": {"exists": {"type": "boolean"}},
    "required": ["exists"],
    "additionalProperties": False,
}


def condition_schema() -> Schema:
    """A mapping of fields; its `$defs` are to stand where `#/$defs/…` finds them, itself under `condition`."""
    several = {"type": "array", "items": _CONDITION, "minItems": 1}
    boolean = {"type": "boolean"}
    compared = _one_or_more({"type": ["string", "number"]}, _EXISTS)
    properties: Schema = {name: {"$ref": "#/$defs/address"} for name in fields.ADDRESSES}
    properties |= dict.fromkeys(fields.TEXTS, _TEXT) | dict.fromkeys(fields.BOOLS, boolean)
    properties |= dict.fromkeys(MOMENTS, _one_or_more({"type": "string"}, _EXISTS))
    properties |= {
        "weekday": _one_or_more({"enum": list(WEEKDAYS)}, _EXISTS),
        "size": compared,
        "age": _one_or_more({"type": "string"}, _EXISTS),
        "attachments": compared,
        "attachment": {"$ref": "#/$defs/attachment"},
        "spam": {
            "anyOf": [compared, _object({"score": compared, "verdict": _TEXT, "symbol": _TEXT})],
        },
        "auth": _object(dict.fromkeys(fields.AUTH, _TEXT)),
        "virus": {"anyOf": [boolean, _object({"found": boolean, "name": _TEXT})]},
        "script": {
            "type": "object",
            "additionalProperties": {
                "type": "object",
                "additionalProperties": {"anyOf": [boolean, {"type": "number"}, _TEXT]},
                "minProperties": 1,
            },
            "minProperties": 1,
        },
        "all": several,
        "any": several,
        "not": _CONDITION,
    }
    for entry in CATALOGUE:
        if entry.name in properties:  # all but header.<Name>
            properties[entry.name] = {**properties[entry.name], "description": entry.text}
    return {
        "type": "object",
        "description": "All of these hold.",
        "minProperties": 1,
        "properties": properties,
        "patternProperties": {"^[Hh][Ee][Aa][Dd][Ee][Rr]\\..+": _TEXT},
        "additionalProperties": False,
        "$defs": _definitions(compared),
    }


def _definitions(compared: Schema) -> Schema:
    operators: Schema = {
        "is": _PATTERNS, "contains": _PATTERNS, "starts-with": _PATTERNS, "ends-with": _PATTERNS, "matches": _PATTERNS,
        "regex": _PATTERNS, "in-file": _PATTERNS, "every": _PATTERNS, "exists": {"type": "boolean"},
    }  # fmt: skip
    return {
        "patterns": _one_or_more({"type": "string"}),
        "text": {"anyOf": [_PATTERNS, _object(operators)]},
        "address": {"anyOf": [_PATTERNS, _object(operators | dict.fromkeys(PARTS, _TEXT))]},
        "attachment": {
            "anyOf": [_TEXT, _object({"name": _TEXT, "type": _TEXT, "size": compared})],
        },
    }


def _one_or_more(item: Schema, *others: Schema) -> Schema:
    return {"anyOf": [item, {"type": "array", "items": item, "minItems": 1}, *others]}


def _object(properties: Schema) -> Schema:
    return {"type": "object", "properties": properties, "additionalProperties": False, "minProperties": 1}
