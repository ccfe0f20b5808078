"""What steps that run a program share: the limit of its time, and what it finds in its environment."""

from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

from postroom.pipeline.templates import ArgumentTemplate
from postroom.pipeline.view import Envelope
from postroom.units import Duration


def _some(value: timedelta) -> timedelta:
    if not value:
        raise ValueError("a time limit is longer than nothing: 60s")
    return value


def _listed(value: object) -> object:
    if isinstance(value, str):
        raise ValueError(  # noqa: TRY004 - pydantic tells ValueErrors alone
            "must be a list: the program and its arguments, such as `[/usr/bin/tool, -x]`; no shell reads it"
        )
    return value


Command = Annotated[
    tuple[ArgumentTemplate, ...],
    BeforeValidator(_listed),
    Field(min_length=1, description="The program and its arguments."),
]
TimeLimit = Annotated[Duration, AfterValidator(_some)]


def environment(*, key: str, mailbox: str, envelope: Envelope) -> dict[str, str]:
    """Which message it is, and its envelope under the names that Postfix's local(8) uses."""
    return {
        "POSTROOM_KEY": key,
        "POSTROOM_MAILBOX": mailbox,
        "SENDER": envelope.sender or "",
        "RECIPIENT": envelope.recipients[0] if envelope.recipients else "",
    }
