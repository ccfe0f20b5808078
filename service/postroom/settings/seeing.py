"""What is told of the running service: logs and metrics."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from postroom.logs import Format, Level
from postroom.model import Model
from postroom.settings.spelling import SETTINGS


def _listen(text: str) -> str | None:
    if text == "none":
        return None
    if not re.fullmatch(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+):\d{1,5}", text) or int(text.rpartition(":")[2]) > 65535:
        raise ValueError("must be ADDRESS:PORT, such as 127.0.0.1:9925, or `none`")
    return text


class Logs(Model):
    """What is written to standard error."""

    model_config = SETTINGS

    format: Format = Field(default="auto", description="`auto`: lines for people on a terminal, JSON elsewhere.")
    level: Level = Field(default="info", description="The least severe events that are written.")


class Metrics(Model):
    """Where Prometheus asks, and health checks."""

    model_config = SETTINGS

    listen: Annotated[str, AfterValidator(_listen)] | None = Field(
        default="127.0.0.1:9925", description="ADDRESS:PORT; port 0: any free one, which is told. `none`: nowhere."
    )
