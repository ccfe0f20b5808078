"""How far the parser goes before it stops looking."""

from pydantic import Field

from postroom.model import Model


class Limits(Model):
    """Bounds of work and memory for one message; past one of them `Message.truncated` is true and a defect
    says which.

    Nothing is lost: what is not indexed stays in `Message.raw`, and in the content of the last part.
    """

    parts: int = Field(default=5000, ge=1)
    """Parts in the flat list."""
    depth: int = Field(default=100, ge=1)
    """Multiparts and messages within each other."""
    headers: int = Field(default=5000, ge=1)
    """Fields of one header."""
    header: int = Field(default=65536, ge=998)
    """Bytes of one field's value that are decoded; of all To fields (Cc …) together that are read as addresses."""
    boundaries: int = Field(default=10000, ge=1)
    """Lines looked at that begin like a delimiter of an open multipart."""


DEFAULT_LIMITS = Limits()
