"""The one pydantic configuration of what operators write and what the ledger stores."""

from typing import TYPE_CHECKING, Annotated, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer

if TYPE_CHECKING:
    from pydantic import GetJsonSchemaHandler
    from pydantic.json_schema import JsonSchemaValue
    from pydantic_core import CoreSchema


class Model(BaseModel):
    """Frozen; unknown keys are errors; validation errors never print their input.

    Fields have a second name where the one that operators write is no name in Python. Code and the ledger use Python's;
    whoever reads an operator's file validates with `by_alias=True, by_name=False`.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        validate_default=False,
        populate_by_name=True,
        allow_inf_nan=False,
    )


class _OneOrMore(BeforeValidator):
    """Says in the JSON Schema, too, what it takes."""

    def __get_pydantic_json_schema__(self, schema: "CoreSchema", handler: "GetJsonSchemaHandler") -> "JsonSchemaValue":
        several = handler(schema)
        return {"anyOf": [several, several["items"]]} if "items" in several else several


def _listed(value: object) -> object:
    if isinstance(value, str):
        return (value,)
    return tuple(value) if isinstance(value, list) else value  # settings are read strictly: no list for a tuple


OneOrMore: Final = _OneOrMore(_listed)
"""For lists of text: one entry may stand for a list of one."""

TextSet = Annotated[frozenset[str], PlainSerializer(sorted, return_type=list[str])]
"""Sorted in JSON: effects' keys derive from it, and a set has another order in each process."""
