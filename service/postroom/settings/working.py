"""How messages come to workers, and when they come again: the queue, and retries."""

import re
from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, Field, WithJsonSchema

from postroom.model import Model
from postroom.settings import urls
from postroom.settings.passwords import WithPassword
from postroom.settings.spelling import SETTINGS, Name
from postroom.units import Duration


def _queue_url(url: str) -> str:
    urls.without_password(url)
    if not re.match(r"memory://$|rediss?://.|redis\+socket://.", url):
        raise ValueError("must be `memory://`, `redis://HOST:PORT/NUMBER`, `rediss://…` or `redis+socket:///PATH`")
    return url


class Queue(WithPassword):
    """The Celery queue, which only rings: what is due stands in the ledger."""

    url: Annotated[
        str,
        AfterValidator(_queue_url),
        WithJsonSchema({"type": "string", "pattern": r"^(memory://$|rediss?://.|redis\+socket://.)"}),
    ] = Field(default="memory://", description="`memory://`: inside `postroom run`; else `redis://HOST/NUMBER`.")
    name: Name = Field(default="postroom", description="Prefix of the queues and keys there.")
    threads: int = Field(default=4, ge=1, le=64, description="Messages that one worker works on at once.")
    batch: int = Field(default=100, ge=1, le=1000, description="Messages in one task.")


class Retry(Model):
    """When effects that failed are tried again; times count from the plan."""

    model_config = SETTINGS

    first: Duration = Field(default=timedelta(minutes=5), description="The wait before the second try.")
    factor: float = Field(default=2.0, ge=1, le=10, description="Each further wait is this many times longer.")
    most: Duration = Field(default=timedelta(hours=4), description="The longest wait.")
    for_: Duration = Field(default=timedelta(days=5), description="After this time a failing effect is dead.")
    crashes: int = Field(default=3, ge=1, le=100, description="Tries that never ended before a message is dead.")
