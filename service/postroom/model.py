"""The one pydantic configuration of what operators write and what the ledger stores."""

from typing import Final

from pydantic import BaseModel, BeforeValidator, ConfigDict


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


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


OneOrMore: Final = BeforeValidator(_listed)
"""For lists of text: one entry may stand for a list of one."""
