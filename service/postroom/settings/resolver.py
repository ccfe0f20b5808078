"""Who is asked for what stands in the DNS."""

import re
from datetime import timedelta
from ipaddress import ip_address
from typing import Annotated

from pydantic import AfterValidator, ConfigDict, Field

from postroom.model import Model
from postroom.settings.spelling import kebab
from postroom.units import Duration

_CONFIG = ConfigDict(alias_generator=kebab, defer_build=True)


def _dns_server(text: str) -> str:
    address, port = dns_server(text)
    try:
        ip_address(address)
    except ValueError:
        raise ValueError("must be an address, or ADDRESS:PORT, such as 127.0.0.1:53 or [::1]:53") from None
    if not 0 < port < 65536:
        raise ValueError("its port is none")
    return text


def dns_server(text: str) -> tuple[str, int]:
    """Address and port."""
    found = re.fullmatch(r"\[([^\]]*)\](?::(\d{1,5}))?|([^:]*):(\d{1,5})", text)
    if found is None:
        return text, 53
    return found[1] or found[3] or "", int(found[2] or found[4] or 53)


class ResolverLine(Model):
    """Who is asked for what stands in the DNS."""

    model_config = _CONFIG

    servers: tuple[Annotated[str, AfterValidator(_dns_server)], ...] = Field(
        default=(), description="`ADDRESS` or `ADDRESS:PORT`; default: those of /etc/resolv.conf."
    )
    timeout: Duration = Field(default=timedelta(seconds=5), description="The longest wait for an answer.")
