"""Who is believed about a message: servers that look at it, and hosts whose header lines count."""

import re
from datetime import timedelta
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from postroom.model import Model
from postroom.pipeline.hosts import check as check_host
from postroom.settings.spelling import SETTINGS
from postroom.units import Duration, Size

_HOST_PORT = r"(?:\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):\d{1,5}"


def _rspamd_url(url: str) -> str:
    if not re.fullmatch(rf"http://{_HOST_PORT}/?|unix:/.+", url):
        raise ValueError("must be `http://HOST:PORT` or `unix:/PATH`")
    return url


def _socket_url(url: str) -> str:
    if not re.fullmatch(rf"tcp://{_HOST_PORT}|unix:/.+", url):
        raise ValueError("must be `tcp://HOST:PORT` or `unix:/PATH`")
    return url


class TrustLine(Model):
    """Whose header lines are believed by `spam: headers` and `authenticate: headers`."""

    model_config = SETTINGS

    hosts: tuple[Annotated[str, AfterValidator(check_host)], ...] = Field(
        default=(),
        description="Your mail servers, as `by` in Received fields: names, also with `*`, addresses and networks. What "
        "stands above the lowest of these is believed. None: what stands above the first Received field. Of what comes "
        "to our own SMTP listener nothing is, unless its client is this machine or one of these by its address.",
    )
    authserv_id: tuple[str, ...] = Field(
        default=(),
        description="Authentication-Results of these are believed; `*` may stand in them. An empty one: fields that "
        "name nobody.",
    )
    below: bool = Field(
        default=False,
        description="Whether the host of yours that takes mail from outside writes Authentication-Results directly "
        "below its own Received field, as OpenDKIM 2 and OpenDMARC 1 do with Postfix. It has to remove fields that "
        "come in under its name (RFC 8601 §5): they would stand in the same place.",
    )

    @model_validator(mode="after")
    def _below_a_host_that_is_named(self) -> Self:
        if self.below and not self.hosts:
            raise ValueError("`below` needs the name of that host in `hosts`")
        return self


class RspamdSettings(Model):
    """Rspamd's normal worker, asked by `spam: rspamd`."""

    model_config = SETTINGS

    url: Annotated[str, AfterValidator(_rspamd_url)] = Field(
        default="http://127.0.0.1:11333", description="`http://HOST:PORT` or `unix:/PATH`."
    )
    timeout: Duration = Field(default=timedelta(seconds=30), description="The longest wait for an answer, in all.")
    largest: Size = Field(default=25_000_000, description="Larger messages are not asked about.")


class SpamdSettings(RspamdSettings):
    """SpamAssassin's spamd, asked by `spam: spamd`."""

    url: Annotated[str, AfterValidator(_socket_url)] = Field(
        default="tcp://127.0.0.1:783", description="`tcp://HOST:PORT` or `unix:/PATH`."
    )
    largest: Size = Field(default=1_000_000, description="Larger messages are not asked about: it would take long.")


class ClamdSettings(RspamdSettings):
    """ClamAV's clamd, asked by `virus`."""

    url: Annotated[str, AfterValidator(_socket_url)] = Field(
        default="unix:/run/clamav/clamd.ctl", description="`tcp://HOST:PORT` or `unix:/PATH`."
    )
    largest: Size = Field(
        default=25_000_000, description="Its own StreamMaxLength; larger messages are not asked about."
    )


class ScannerSettings(Model):
    """Servers that look at messages; who can read on the way reads all mail, so keep them near."""

    model_config = SETTINGS

    rspamd: RspamdSettings = Field(
        default_factory=RspamdSettings.model_construct, description="Rspamd's normal worker."
    )
    spamd: SpamdSettings = Field(default_factory=SpamdSettings.model_construct, description="SpamAssassin's spamd.")
    clamd: ClamdSettings = Field(default_factory=ClamdSettings.model_construct, description="ClamAV's clamd.")
