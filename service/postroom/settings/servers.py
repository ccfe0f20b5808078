"""The servers that mail goes out through, told apart by the scheme of their `url`.

Every key with its type, default and meaning, written once; the composition root makes transports of them.
"""

import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self
from urllib.parse import unquote, urlsplit

from pydantic import AfterValidator, ConfigDict, Discriminator, Field, Tag, WithJsonSchema, model_validator

from postroom.model import Model
from postroom.settings import urls
from postroom.settings.passwords import ONE_OF, WithPassword
from postroom.settings.secrets import SecretSource
from postroom.settings.spelling import SETTINGS, FilePath
from postroom.units import Duration

_KINDS = {
    "smtp": "relay", "smtps": "relay", "lmtp": "relay", "lmtp+unix": "socket", "mx": "direct", "maildir": "outbox",
}  # fmt: skip
_PORTS = {"smtp": 587, "smtps": 465, "lmtp": 24}
FORMS = "smtp://HOST (587, STARTTLS), smtps://HOST (465), lmtp://HOST:PORT, lmtp+unix:PATH, mx: or maildir:PATH"


def kind(value: object) -> str:
    """Which model reads a server; "relay", which says what is wrong, where its url tells none."""
    return _KINDS.get(urls.scheme(value), "relay")


def _relay(url: str) -> str:
    if urls.split(url).scheme not in _PORTS:
        raise ValueError(f"must be {FORMS}")
    parts = urls.on_a_host(url)
    if parts.scheme == "lmtp" and parts.port == 25:
        raise ValueError("LMTP is never spoken on port 25 (RFC 2033 5)")
    return url


def _socket(url: str) -> str:
    if not re.fullmatch(r"lmtp\+unix:.*[^/]", url):
        raise ValueError("must be `lmtp+unix:` and the path of a socket")
    return url


def _direct(url: str) -> str:
    if url != "mx:":
        raise ValueError("must be `mx:` alone: where mail goes stands in the DNS")
    return url


class Server(Model):
    """A way out for mail. The kind is the scheme of `url`."""

    model_config = SETTINGS

    kind: ClassVar[str]

    url: str


class OutboxServer(Server):
    """A Maildir in place of a server, for trials: what would have been sent lies there."""

    kind = "outbox"

    url: urls.MaildirUrl = Field(description="`maildir:` and the directory.")

    def directory(self, base: Path) -> Path:
        """A relative path counts from the directory of postroom.yaml."""
        return base / Path(self.url.removeprefix("maildir:")).expanduser()


class Paced(Server):
    """A server that is spoken to over connections."""

    connections: int = Field(default=4, ge=1, le=100, description="At once, of one process; they are used again.")
    per_minute: int | None = Field(
        default=None, ge=1, le=1_000_000, description="Messages in a minute, of all processes; default: no limit."
    )
    uncertain: Literal["retry", "hold"] = Field(
        default="retry",
        description="A message whose acceptance was not confirmed in the end is sent again, or held as a dead letter.",
    )
    long_lines: Literal["refuse", "send"] = Field(
        default="refuse",
        description="Lines over 998 octets, which servers may break up, and DKIM with them: such a message fails for "
        "good, or goes out as it is.",
    )
    timeout: Duration = Field(
        default=timedelta(seconds=60),
        description="The longest wait for an answer; for the one to a whole message it is 10 minutes.",
    )


class SocketServer(Paced):
    """LMTP over a UNIX socket."""

    kind = "socket"

    url: Annotated[str, AfterValidator(_socket), WithJsonSchema({"type": "string", "pattern": r"^lmtp\+unix:."})] = (
        Field(description="`lmtp+unix:` and the path.")
    )

    def path(self, base: Path) -> Path:
        """A relative path counts from the directory of postroom.yaml."""
        return base / Path(self.url.removeprefix("lmtp+unix:")).expanduser()


class DirectServer(Paced):
    """No server of yours: mail goes to the mail exchangers of its recipients."""

    kind = "direct"

    url: Annotated[str, AfterValidator(_direct), WithJsonSchema({"type": "string", "const": "mx:"})] = Field(
        description="`mx:` is where the DNS says, the most preferred first."
    )
    port: int = Field(default=25, ge=1, le=65535, description="Of the mail exchangers.")
    tls: Literal["opportunistic", "required"] = Field(
        default="opportunistic",
        description="`opportunistic`: where it is offered, whoever the server is; `required`: and verified. A policy "
        "that the domain publishes (MTA-STS) is kept in any case.",
    )
    tls_ca: FilePath | None = Field(default=None, description="A file of certificates to trust; default: the system's.")
    allow_private: bool = Field(
        default=False, description="Also to exchangers on loopback, private and link-local addresses."
    )


class RelayServer(Paced, WithPassword):
    """A mail server that takes messages from us."""

    model_config = SETTINGS | ConfigDict(json_schema_extra=ONE_OF)
    kind = "relay"

    url: Annotated[str, AfterValidator(_relay), WithJsonSchema({"type": "string", "pattern": "^(smtps?|lmtp)://."})] = (
        Field(
            description="`smtp://HOST` (587, STARTTLS required), `smtps://HOST` (465) or `lmtp://HOST:PORT`; a user "
            "may stand before the host with `@`."
        )
    )
    user: str | None = Field(default=None, min_length=1, description="Where the user cannot stand in the URL.")
    auth: Literal["auto", "plain", "login", "scram-sha-256", "xoauth2"] = Field(
        default="auto", description="How to log in; `xoauth2` takes a token instead of a password."
    )
    token_command: tuple[str, ...] | None = Field(
        default=None, min_length=1, description="A program with its arguments that prints an access token."
    )
    token_file: FilePath | None = Field(default=None, description="A file that holds an access token.")
    tls: Literal["required", "off"] = Field(
        default="required", description="`off`: on a loopback address only. Certificates are always verified."
    )
    tls_ca: FilePath | None = Field(default=None, description="A file of certificates to trust; default: the system's.")

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if self.tls == "off" and not urls.is_loopback(self.host):
            raise ValueError("`tls: off` is for loopback addresses; certificates of your own go into `tls-ca`")
        if self.tls == "off" and self.scheme == "smtps":
            raise ValueError("`tls: off` contradicts the URL: write the scheme without its `s`")
        tokens = (self.token_command is not None) + (self.token_file is not None)
        if self.auth == "xoauth2":
            if tokens != 1 or self.has_password:
                raise ValueError("`auth: xoauth2` takes `token-command` or `token-file`, and no password")
        elif tokens:
            raise ValueError("a token is for `auth: xoauth2`")
        if self.name is None and (self.has_password or tokens):
            raise ValueError("names no user: write it before the host with `@`, or as `user`")
        if self.name is not None and not (self.has_password or tokens):
            raise ValueError("has a user and no password: give `password-file` or another `password` key")
        return self

    @property
    def scheme(self) -> str:
        """smtp, smtps or lmtp."""
        return urlsplit(self.url).scheme

    @property
    def host(self) -> str:
        """Host name or address."""
        return urlsplit(self.url).hostname or ""

    @property
    def port(self) -> int:
        """As written, else the scheme's."""
        return urlsplit(self.url).port or _PORTS[self.scheme]

    @property
    def name(self) -> str | None:
        """Who logs in; None: nobody."""
        found = urlsplit(self.url).username
        return self.user or (unquote(found) if found else None)

    def credential(self) -> str:
        """The password or the access token, fetched now. Blocks. Raises Temporary."""
        if self.token_file:
            return SecretSource(file=self.token_file).reveal().get_secret_value()
        if self.token_command:
            return SecretSource(command=self.token_command).reveal().get_secret_value()
        found = self.secret()
        assert found is not None, "the settings were checked"
        return found.get_secret_value()


AnyServer = Annotated[
    Annotated[RelayServer, Tag("relay")]
    | Annotated[SocketServer, Tag("socket")]
    | Annotated[DirectServer, Tag("direct")]
    | Annotated[OutboxServer, Tag("outbox")],
    Discriminator(kind),
]
