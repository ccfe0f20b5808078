"""JSON Schemas (2020-12) of postroom.yaml and of pipeline files, for editors; made from the models."""

import json
from datetime import timedelta
from typing import Any, Final

from pydantic import ValidationError
from pydantic.json_schema import GenerateJsonSchema

from postroom.pipeline.conditions.schema import condition_schema
from postroom.pipeline.step import Step
from postroom.settings.cases import Case
from postroom.settings.model import Settings
from postroom.settings.pipelines import PipelineText
from postroom.settings.words import main_option
from postroom.steps import STEPS, step
from postroom.units import format_duration

Schema = dict[str, Any]
DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
SETTINGS_FILE: Final = "postroom.schema.json"
PIPELINE_FILE: Final = "pipeline.schema.json"


def schemas() -> dict[str, str]:
    """The text of each schema file by its name."""
    made = {SETTINGS_FILE: settings_schema(), PIPELINE_FILE: pipeline_schema()}
    return {name: json.dumps(schema, indent=2, ensure_ascii=False) + "\n" for name, schema in made.items()}


def settings_schema() -> Schema:
    """What postroom.yaml may hold."""
    schema = {"$schema": DIALECT, **Settings.model_json_schema(by_alias=True, schema_generator=_Generator)}
    tidied: Schema = _tidy(schema, variables=True)
    return tidied


def pipeline_schema() -> Schema:
    """What a pipeline file may hold: rules, conditions, and each step with its options."""
    schema: Schema = {"$schema": DIALECT, **PipelineText.model_json_schema(by_alias=True)}
    rule = schema["$defs"]["RuleText"]["properties"]
    conditions = condition_schema()
    schema["$defs"] |= conditions.pop("$defs", {})
    schema["$defs"]["condition"] = conditions
    schema["$defs"]["step"] = _entry(schema["$defs"])
    rule["when"] = {"$ref": "#/$defs/condition", "description": rule["when"]["description"]}
    several = {"type": "array", "items": {"$ref": "#/$defs/step"}, "minItems": 1}
    rule["do"] = {"anyOf": [{"$ref": "#/$defs/step"}, several], "description": rule["do"]["description"]}
    tests = Case.model_json_schema(by_alias=True, ref_template="#/$defs/{model}", schema_generator=_Generator)
    tests = _tidy({**tests, "required": ["expect"]}, variables=False, nulls=True)
    tidied: Schema = _tidy(schema, variables=False)
    tidied["$defs"] |= tests.pop("$defs")
    tidied["properties"]["tests"]["items"] = tests
    return tidied


def _entry(definitions: Schema) -> Schema:
    """One entry under `do`; the options of each word go into the definitions."""
    bare, words = [], {}
    for word in STEPS:
        found = step(word)
        if _stands_alone(found):
            bare.append(word)
        words[word] = _word(found, definitions)
    mapping = {"type": "object", "properties": words, "additionalProperties": False} | {
        "minProperties": 1,
        "maxProperties": 1,
    }
    return {"anyOf": [{"enum": bare}, mapping]}


def _word(found: type[Step], definitions: Schema) -> Schema:
    options = found.model_json_schema(
        by_alias=True, ref_template=f"#/$defs/{found.word}-{{model}}", schema_generator=_Generator
    )
    for name, inner in options.pop("$defs", {}).items():
        definitions[f"{found.word}-{name}"] = inner
    definitions[f"step-{found.word}"] = options
    whole: Schema = {"$ref": f"#/$defs/step-{found.word}"}
    main = options["properties"].get(main_option(found)) if found.main else None
    if main is None or options.get("required", [main_option(found)]) != [main_option(found)]:
        return whole
    short = {key: value for key, value in main.items() if key not in ("default", "description", "title")}
    return {"anyOf": [short, whole]}


def _stands_alone(found: type[Step]) -> bool:
    try:
        found.model_validate({})
    except ValidationError:
        return False
    return True


class _Generator(GenerateJsonSchema):
    """pydantic's, with durations as operators write them."""

    def encode_default(self, dft: Any) -> Any:
        return format_duration(dft) if isinstance(dft, timedelta) else super().encode_default(dft)


def _tidy(value: Any, *, variables: bool, nulls: bool = False) -> Any:
    """As our loader reads: names have one form. `variables`: texts may hold `${NAME}`; `nulls`: values may be null."""
    if isinstance(value, list):
        return [_tidy(one, variables=variables, nulls=nulls) for one in value]
    if not isinstance(value, dict):
        return value
    made = {
        key: _tidy(one, variables=variables, nulls=nulls)
        for key, one in value.items()
        if key not in ("default", "title")
    }
    for name in ("properties", "$defs"):
        if isinstance(value.get(name), dict):  # here keys are names, `title` and `default` among them
            made[name] = {key: _tidy(one, variables=variables, nulls=nulls) for key, one in value[name].items()}
    if "patternProperties" in made:
        made.setdefault("additionalProperties", False)
    if "default" in value and "$ref" not in value:
        made |= _default(value)
    if {"type": "null"} in made.get("anyOf", ()) and not nulls:
        made = _without_null(made)
    fixed = made.get("type") == "string" and made.keys() & {"const", "enum", "pattern"}
    return _or_variable(made) if fixed and variables else made


def _default(schema: Schema) -> Schema:
    if schema["default"] is None:
        return {"default": "never"} if "never" in schema.get("pattern", "") else {}
    return {"default": schema["default"]}


def _without_null(schema: Schema) -> Schema:
    left = [one for one in schema["anyOf"] if one != {"type": "null"}]
    rest = {key: one for key, one in schema.items() if key != "anyOf"}
    return {**rest, **left[0]} if len(left) == 1 else {**rest, "anyOf": left}


def _or_variable(schema: Schema) -> Schema:
    outside: Schema = {key: schema[key] for key in ("description", "default") if key in schema}
    inside = {key: one for key, one in schema.items() if key not in outside}
    return {**outside, "anyOf": [inside, {"type": "string", "pattern": r"\$\{"}]}
