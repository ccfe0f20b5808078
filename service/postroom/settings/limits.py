"""Bounds on what is taken and worked on."""

from typing import Annotated

from pydantic import Field

from postroom.message.limits import DEFAULT_LIMITS, Limits
from postroom.model import Model
from postroom.settings.spelling import SETTINGS
from postroom.units import Size


class LimitSettings(Model):
    """Bounds that hostile messages meet; past one a message is cut, never lost."""

    model_config = SETTINGS

    message: Size = Field(
        default=50_000_000, description="Largest message; standard input takes larger ones all the same."
    )
    parts: int = Field(default=DEFAULT_LIMITS.parts, ge=1, description="Parts of a message that are told apart.")
    depth: int = Field(default=DEFAULT_LIMITS.depth, ge=1, description="Parts within parts.")
    headers: int = Field(default=DEFAULT_LIMITS.headers, ge=1, description="Fields of one header.")
    header: Annotated[Size, Field(ge=998)] = Field(
        default=DEFAULT_LIMITS.header, description="Decoded part of one field."
    )
    boundaries: int = Field(default=DEFAULT_LIMITS.boundaries, ge=1, description="Lines looked at as boundaries.")
    match: Size = Field(default=1_000_000, description="The part of a body that patterns see.")
    in_flight: int = Field(
        default=200, ge=1, description="Messages of one mailbox that are worked on before more are collected."
    )
    in_flight_bytes: Size = Field(default=256_000_000, description="Their octets.")

    @property
    def parser(self) -> Limits:
        """Those that the parser keeps."""
        return Limits(**{name: getattr(self, name) for name in Limits.model_fields})
