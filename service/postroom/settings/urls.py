"""URLs of postroom.yaml: they name places, and never hold a password."""

import re
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Annotated, Final
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, WithJsonSchema

# Ports that belong to the scheme with TLS, or to the one without.
_OTHERS: Final[Mapping[tuple[str, int | None], str]] = {
    ("imap", 993): "imaps", ("imaps", 143): "imap", ("pop3", 995): "pop3s", ("pop3s", 110): "pop3",
    ("smtp", 465): "smtps", ("smtps", 587): "smtp", ("smtps", 25): "smtp",
}  # fmt: skip
_PASSWORD = re.compile(r"[a-z0-9+]+://[^/?#]*:[^/?#]*@|[?&]password=")


def scheme(value: object) -> str:
    """The scheme of the `url` of a mapping or of a model; empty where there is none."""
    url = value.get("url") if isinstance(value, Mapping) else getattr(value, "url", None)
    return url.partition(":")[0] if isinstance(url, str) else ""


def without_password(url: str) -> None:
    """Raises ValueError where a password stands in it."""
    if _PASSWORD.search(url):
        raise ValueError("a password does not belong into the URL: use `password-file` or another `password` key")


def split(url: str) -> SplitResult:
    """Its parts. Raises ValueError where host or port cannot be read, or where a password stands in it."""
    without_password(url)
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise ValueError("is no URL: its host or port cannot be read") from None
    return parts


def on_a_host(url: str) -> SplitResult:
    """The parts of one that names a host, a port where it likes, and nothing behind them."""
    parts = split(url)
    if not parts.hostname or parts.path not in ("", "/") or parts.query or parts.fragment:
        raise ValueError(f"must be {parts.scheme}://HOST or {parts.scheme}://HOST:PORT, a user before it with `@`")
    if right := _OTHERS.get((parts.scheme, parts.port)):
        how = (
            "speaks TLS from the start" if right.endswith("s") else "begins in the clear and changes to TLS (STARTTLS)"
        )
        raise ValueError(f"port {parts.port} {how}: write {right}://")
    return parts


def _directory(url: str) -> str:
    if not re.match(r"maildir:.", url):
        raise ValueError("must be `maildir:` and a directory")
    return url


def is_loopback(host: str) -> bool:
    """Whether a host is this machine and nothing can listen in between."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


MaildirUrl = Annotated[str, AfterValidator(_directory), WithJsonSchema({"type": "string", "pattern": "^maildir:."})]
