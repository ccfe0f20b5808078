"""The DNS that is asked, and the domains of ours that rewritten senders (SRS) and seals (ARC) are of."""

import re
from datetime import timedelta
from ipaddress import ip_address
from typing import Annotated

from pydantic import AfterValidator, Field

from postroom.model import Model
from postroom.settings.spelling import SETTINGS, FilePath
from postroom.units import Duration

_Domain = Annotated[str, Field(pattern=r"^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$")]


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

    model_config = SETTINGS

    servers: tuple[Annotated[str, AfterValidator(_dns_server)], ...] = Field(
        default=(), description="`ADDRESS` or `ADDRESS:PORT`; default: those of /etc/resolv.conf."
    )
    timeout: Duration = Field(default=timedelta(seconds=5), description="The longest wait for an answer.")


class Srs(Model):
    """The Sender Rewriting Scheme: forwarded mail gets a return path of ours, so that SPF passes and bounces come back
    through us."""

    model_config = SETTINGS

    domain: _Domain = Field(description="The domain of rewritten senders; its mail has to come to us.")
    secret_file: FilePath = Field(
        description="A file with a secret a line: the first signs, the others are still taken."
    )


class Arc(Model):
    """Seals on forwarded mail (RFC 8617), for servers that believe the domain."""

    model_config = SETTINGS

    domain: _Domain = Field(description="The domain that seals.")
    selector: _Domain = Field(description="Where its public key lies in the DNS: SELECTOR._domainkey.DOMAIN.")
    key_file: FilePath = Field(description="A file with the private key in PEM: RSA, or Ed25519, which few verify.")
