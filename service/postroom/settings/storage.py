"""Where messages lie, and for how long: the ledger, the spool, retention."""

import re
from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, Field

from postroom.model import Model
from postroom.settings import urls
from postroom.settings.passwords import WithPassword
from postroom.settings.spelling import SETTINGS, Period
from postroom.units import Size


def _ledger_url(url: str) -> str:
    urls.without_password(url)
    if not re.match(r"sqlite:///.|postgresql(\+psycopg)?://.", url):
        raise ValueError("must begin with `sqlite:///` or `postgresql://`")
    return url


def _spool_url(url: str) -> str:
    if not re.match(r"file:.", url):
        raise ValueError("must be `file:` and a directory")
    return url


class Ledger(WithPassword):
    """The database of messages and effects."""

    url: Annotated[str, AfterValidator(_ledger_url)] | None = Field(
        default=None,
        description="`sqlite:///FILE` or `postgresql://USER@HOST/NAME`; default: ledger.db in `state`.",
    )


class Spool(Model):
    """The store of raw messages."""

    model_config = SETTINGS

    url: Annotated[str, AfterValidator(_spool_url)] | None = Field(
        default=None, description="`file:DIRECTORY`; default: `spool` in the state directory."
    )
    inline: Size = Field(default=64 * 1024, description="Messages up to this size lie in the ledger, beside their row.")
    min_free: Size = Field(default=2**30, description="Free space below which no more mail is taken.")


class Retention(Model):
    """How long finished messages stay in ledger and spool."""

    model_config = SETTINGS

    settled: Period = Field(default=timedelta(days=30), description="Messages that are done; or `never` deleted.")
    dead: Period = Field(default=None, description="Dead letters; `never` deleted unless a duration stands here.")
