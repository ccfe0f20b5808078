"""Mailboxes on other machines: IMAP and POP3."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Final, Literal, Self
from urllib.parse import unquote, urlsplit

from pydantic import AfterValidator, ConfigDict, Field, WithJsonSchema, model_validator

from postroom.model import Model, OneOrMore
from postroom.pipeline.plan import Plan
from postroom.settings import urls
from postroom.settings.mailboxes.mailbox import Handled, KeepOnServer, Mailbox
from postroom.settings.passwords import ONE_OF, WithPassword
from postroom.settings.spelling import SETTINGS, FilePath
from postroom.units import Duration

_PORTS: Final = {"imap": 143, "imaps": 993, "pop3": 110, "pop3s": 995}


def _server(url: str) -> str:
    urls.on_a_host(url)
    return url


class Account(Mailbox, WithPassword):
    """A mailbox on another machine: where, who, and how it is proved."""

    model_config = SETTINGS | ConfigDict(json_schema_extra=ONE_OF)
    settles = True

    user: str | None = Field(default=None, min_length=1, description="Where the user cannot stand in the URL.")
    auth: Literal["auto", "plain", "login", "xoauth2", "oauthbearer"] = Field(
        default="auto", description="How to log in; `xoauth2` and `oauthbearer` take a token instead of a password."
    )
    token_command: tuple[str, ...] | None = Field(
        default=None, min_length=1, description="A program with its arguments that prints an access token."
    )
    token_file: FilePath | None = Field(default=None, description="A file that holds an access token.")
    tls: Literal["required", "off"] = Field(
        default="required", description="`off`: on a loopback address only. Certificates are always verified."
    )
    tls_ca: FilePath | None = Field(default=None, description="A file of certificates to trust; default: the system's.")
    timeout: Duration = Field(default=timedelta(seconds=60), description="The longest wait for an answer.")
    start: Literal["now", "all"] = Field(default="now", description="`all`: messages that lie there already, too.")
    keep_on_server: KeepOnServer = Field(
        default=False, description="Whether, or how long, a message stays that lives elsewhere now."
    )

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if self.tls == "off" and not urls.is_loopback(self.host):
            raise ValueError("`tls: off` is for loopback addresses; certificates of your own go into `tls-ca`")
        if self.tls == "off" and self.is_encrypted:
            raise ValueError("`tls: off` contradicts the URL: write the scheme without its `s`")
        if self.name is None:
            raise ValueError("names no user: write it before the host with `@`, or as `user`")
        tokens = (self.token_command is not None) + (self.token_file is not None)
        if self.auth in ("xoauth2", "oauthbearer"):
            if tokens != 1 or self.has_password:
                raise ValueError(f"`auth: {self.auth}` takes `token-command` or `token-file`, and no password")
        elif tokens:
            raise ValueError("a token is for `auth: xoauth2` or `auth: oauthbearer`")
        elif not self.has_password:
            raise ValueError("has no password: give `password-file` or another `password` key")
        return self

    @property
    def host(self) -> str:
        """Host name or address."""
        return urlsplit(self.url).hostname or ""

    @property
    def port(self) -> int:
        """As written, else the scheme's."""
        parts = urlsplit(self.url)
        return parts.port or _PORTS[parts.scheme]

    @property
    def is_encrypted(self) -> bool:
        """Whether TLS begins with the connection."""
        return urlsplit(self.url).scheme.endswith("s")

    @property
    def name(self) -> str | None:
        """Who logs in."""
        found = urlsplit(self.url).username
        return self.user or (unquote(found) if found else None)

    @property
    def ours(self) -> tuple[str, ...]:
        """Those that are written, else the user where that is one."""
        return self.addresses or ((self.name,) if self.name and "@" in self.name else ())


class Learning(Model):
    """Folders into which people sort; what comes into them is learned for `spam: bayes` where it would have been taken
    for something else. Mail that lies there already is learned by `postroom learn`."""

    model_config = SETTINGS

    spam: tuple[str, ...] = Field(default=("Junk",), description="Where spam is put.")
    ham: tuple[str, ...] = Field(default=("INBOX",), description="Where what is no spam is put, or left.")
    every: Annotated[Duration, Field(ge=timedelta(seconds=1))] = Field(
        default=timedelta(minutes=30), description="How often to look."
    )


class ImapMailbox(Account):
    """Folders on an IMAP server, watched with IDLE where it is offered."""

    kind = "imap"

    url: Annotated[str, AfterValidator(_server), WithJsonSchema({"type": "string", "pattern": "^imaps?://."})] = Field(
        description="`imaps://HOST` (993), or `imap://HOST` (143), where STARTTLS is required."
    )
    folders: Annotated[tuple[str, ...], OneOrMore] = Field(
        min_length=1,
        default=("INBOX",),
        description="Folders to watch; pipelines tell them apart by the condition `folder`.",
    )
    rewrite: bool = Field(default=False, description="An edited message that stays or moves replaces the original.")
    create: bool = Field(
        default=True, description="Folders that `move` and `copy` name are made when missing, at most 100 a day."
    )
    max_connections: int = Field(default=4, ge=1, le=100, description="Shared by the folders of this mailbox.")
    handled: Handled = Field(default="leave", description="What becomes of a message that lives elsewhere now.")
    learn: Learning | None = Field(
        default=None, description="Learn from what people move into Junk and out of it; default: not."
    )
    surprise_limit: int = Field(
        default=100, ge=0, description="More new messages than this after a change of UIDVALIDITY pause the mailbox."
    )
    idle: Duration = Field(default=timedelta(minutes=5), description="How often IDLE is renewed.")
    poll: Duration = Field(default=timedelta(seconds=60), description="How often to look where IDLE is not offered.")

    def is_settled_by(self, plan: Plan) -> bool:
        to = plan.settlement
        if to.add or to.remove or to.copies or to.place == "moved" or (self.rewrite and plan.edits):
            return False
        return to.place == "kept" or (self.handled == "leave" and not plan.discards)


class Pop3Mailbox(Account):
    """A POP3 mailbox, polled."""

    kind = "pop3"

    url: Annotated[str, AfterValidator(_server), WithJsonSchema({"type": "string", "pattern": "^pop3s?://."})] = Field(
        description="`pop3s://HOST` (995), or `pop3://HOST` (110), where STLS is required."
    )
    store: FilePath | None = Field(
        default=None, description="The Maildir++ where keep, move and copy act; default: the server, where all is kept."
    )
    poll: Duration = Field(default=timedelta(minutes=5), description="How often to look; LOGIN-DELAY is honoured.")

    @property
    def stores(self) -> tuple[Path | None, ...]:
        return (self.store,)

    def is_settled_by(self, plan: Plan) -> bool:
        return self.keep_on_server is True or (self.store is None and plan.settlement.place == "kept")
