"""The one pydantic configuration of what operators write and what the ledger stores."""

from pydantic import BaseModel, ConfigDict


class Model(BaseModel):
    """Frozen; unknown keys are errors; validation errors never print their input."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        validate_default=False,
        populate_by_name=True,
        allow_inf_nan=False,
    )
