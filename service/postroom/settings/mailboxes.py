"""The kinds of mailboxes that postroom.yaml may hold, told apart by the scheme of their `url`.

Every key with its type, default and meaning, written once; a source takes its kind's model as it is.
"""

import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self
from urllib.parse import unquote, urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    WithJsonSchema,
    model_validator,
)

from postroom.model import Model, OneOrMore
from postroom.pipeline.plan import Plan
from postroom.settings import urls
from postroom.settings.passwords import ONE_OF, WithPassword
from postroom.settings.spelling import FilePath, Name, Store, kebab
from postroom.units import Duration

# Built once, as parts of Settings: each `postroom filter` is a new process and reads its settings.
_CONFIG = ConfigDict(alias_generator=kebab, defer_build=True)
_KINDS = {
    "imap": "imap", "imaps": "imap", "pop3": "pop3", "pop3s": "pop3", "maildir": "maildir", "stdin": "stdin",
    "lmtp": "listener", "lmtp+unix": "listener", "smtp": "listener",
}  # fmt: skip
_PORTS = {"imap": 143, "imaps": 993, "pop3": 110, "pop3s": 995}
FORMS = (
    '"stdin:", maildir:PATH, imaps://HOST, imap://HOST (STARTTLS), pop3s://HOST, pop3://HOST (STLS), '
    "lmtp://HOST:PORT, lmtp+unix:PATH or smtp://HOST:PORT"
)


def is_known(value: object) -> bool:
    """Whether its url tells a kind of mailbox."""
    return urls.scheme(value) in _KINDS


def kind(value: object) -> str:
    """Which model reads a mailbox; "stdin", which says what is wrong, where its url tells none."""
    return _KINDS.get(urls.scheme(value), "stdin")


def _server(url: str) -> str:
    urls.on_a_host(url)
    return url


def _listening(url: str) -> str:
    parts = urls.split(url)
    if parts.scheme == "lmtp+unix":
        if not parts.path or parts.netloc or parts.path.endswith("/"):
            raise ValueError("must be `lmtp+unix:` and the path of a socket")
        return url
    if not parts.hostname or parts.port is None or parts.path not in ("", "/"):
        raise ValueError(f"must be {parts.scheme}://ADDRESS:PORT")
    if parts.scheme == "lmtp" and parts.port == 25:
        raise ValueError("LMTP is never spoken on port 25 (RFC 2033 5); choose another, such as 24")
    return url


def _standard_input(url: str) -> str:
    if url != "stdin:":
        raise ValueError(f"must be {FORMS}")
    return url


def _octal(text: str) -> str:
    if not re.fullmatch("0?[0-7]{3}", text):
        raise ValueError('must be a mode in quotes, such as "0660"')
    return text


def _glob(pattern: str) -> str:
    from postroom.pipeline.globs import Glob

    Glob(pattern)
    return pattern


def _templated(store: object) -> object:
    """A store may be made of the recipient's address: nothing else is known of a message before it comes."""
    if isinstance(store, str) and "{" in store:
        from postroom.pipeline.templates import PathTemplate

        if others := sorted(PathTemplate(store).names - {"recipient"}):
            raise ValueError(f"is made of the recipient alone, as in {{{{ recipient.local }}}}; not of `{others[0]}`")
    return store


class MoveTo(Model):
    """A folder for messages that live elsewhere now."""

    model_config = _CONFIG

    move: str = Field(min_length=1, description="The folder.")


Handled = Literal["leave", "seen", "delete"] | MoveTo
KeepOnServer = bool | Duration


class Mailbox(Model):
    """Where messages come from and which pipeline they go through. The kind is the scheme of `url`."""

    model_config = _CONFIG

    kind: ClassVar[str]
    settles: ClassVar[bool] = False
    """Whether something is to be done at the source when a message is done."""

    url: str
    pipeline: Name | None = Field(
        default=None, description="A file in `pipelines`, without .yaml; default: `defaults.pipeline`."
    )
    addresses: Annotated[tuple[str, ...], OneOrMore] = Field(
        default=(), description="Addresses that are ours; default: the user or the envelope's recipients."
    )

    @property
    def stores(self) -> tuple[Path | None, ...]:
        """The stores where this mailbox keeps messages; None: `store: none`. Empty: it keeps them itself."""
        return ()

    @property
    def ours(self) -> tuple[str, ...]:
        """Addresses that are ours, as far as the settings tell."""
        return self.addresses

    def is_settled_by(self, plan: Plan) -> bool:
        """Whether nothing is left to do at the source once a worker has carried out this plan."""
        return not self.settles


class StdinMailbox(Mailbox):
    """What `postroom filter` reads."""

    kind = "stdin"

    url: Annotated[str, AfterValidator(_standard_input), WithJsonSchema({"type": "string", "const": "stdin:"})] = Field(
        description='"stdin:" is what `postroom filter` reads.'
    )
    store: Store = Field(description="The Maildir++ where keep, move and copy act; `none`: nothing can be kept here.")
    resume_for: Duration = Field(
        default=timedelta(days=1),
        description="The same message offered again within this time after its end is already done.",
    )
    state: FilePath | None = Field(
        default=None,
        description="Its own ledger and spool; default: postroom in $XDG_STATE_HOME or ~/.local/state.",
    )

    @property
    def stores(self) -> tuple[Path | None, ...]:
        return (self.store,)


class MaildirMailbox(Mailbox):
    """A Maildir++ on this machine; what a mail server delivers into its `new/` is collected."""

    kind = "maildir"
    settles = True

    url: urls.MaildirUrl = Field(description="`maildir:` and the directory.")
    start: Literal["now", "all"] = Field(default="now", description="`all`: messages that lie there already, too.")
    create: bool = Field(
        default=True, description="Folders that `move` and `copy` name are made when missing, at most 100 a day."
    )
    rewrite: bool = Field(default=False, description="An edited message that stays replaces the original.")
    handled: Handled = Field(default="leave", description="What becomes of a message that lives elsewhere now.")
    keep_on_server: KeepOnServer = Field(default=False, description="How long a message that is gone stays first.")
    poll: Duration = Field(default=timedelta(seconds=60), description="How often it is looked through besides.")

    def directory(self, base: Path) -> Path:
        """The Maildir; a relative path counts from the directory of postroom.yaml."""
        return base / Path(self.url.removeprefix("maildir:")).expanduser()


class Account(Mailbox, WithPassword):
    """A mailbox on another machine: where, who, and how it is proved."""

    model_config = _CONFIG | ConfigDict(json_schema_extra=ONE_OF)
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

    model_config = _CONFIG

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


StoreOf = Annotated[Store, BeforeValidator(_templated)]


class Recipient(Model):
    """Whom a listener takes mail for, and where that goes. The first that matches wins."""

    model_config = _CONFIG

    to: Annotated[str, AfterValidator(_glob)] = Field(
        min_length=1, description="A glob over the address: `*@example.com`; `*` is everybody."
    )
    pipeline: Name | None = Field(default=None, description="Default: the mailbox's.")
    store: StoreOf = Field(
        default=None,
        description="The Maildir++ of these recipients, with `{{ recipient.local }}`, `.domain`, `.detail`; `none`: "
        "nothing can be kept. Default: the mailbox's.",
    )

    @property
    def own_store(self) -> bool:
        """Whether it names a store of its own."""
        return "store" in self.model_fields_set


class ListenerMailbox(Mailbox):
    """A socket on which a mail server hands over messages: LMTP (RFC 2033), or SMTP."""

    kind = "listener"

    url: Annotated[
        str,
        AfterValidator(_listening),
        WithJsonSchema({"type": "string", "pattern": r"^(lmtp\+unix:|lmtp://|smtp://)."}),
    ] = Field(description="`lmtp://ADDRESS:PORT`, `lmtp+unix:PATH` or `smtp://ADDRESS:PORT`.")
    store: StoreOf = Field(
        default=None, description="The Maildir++ of recipients that name none, likewise; `none`: nothing can be kept."
    )
    recipients: Annotated[tuple[Recipient, ...], Field(min_length=1)] = Field(
        description="Whom mail is taken for; everybody else is refused with 550 5.1.1."
    )
    split: Literal["recipient", "message"] = Field(
        default="recipient", description="`message`: one message for the whole envelope, for content filters."
    )
    answer: Literal["after-intake", "after-plan"] = Field(
        default="after-intake",
        description="When the client is told that its message is taken: as soon as it is durable, or when the rules "
        "have been gone through, so that `reject` is its answer; then it waits for `script` and the like, a minute "
        "at most. A message that crashes its planning is taken as it came once that happened as often as `retry: "
        "{crashes: …}` says, and becomes a dead letter if it goes on.",
    )
    mode: Annotated[str, AfterValidator(_octal)] = Field(default="0660", description="Mode of a UNIX socket.")
    max_connections: int = Field(default=100, ge=1, description="At once; further ones are told to come later.")
    max_recipients: int = Field(default=100, ge=1, description="Of one message.")
    idle: Duration = Field(default=timedelta(minutes=5), description="A client that is silent so long is let go.")
    tls_certificate: FilePath | None = Field(default=None, description="A certificate chain; STARTTLS is offered.")
    tls_key: FilePath | None = Field(default=None, description="Its key.")
    timeout: Duration = Field(default=timedelta(seconds=60), description="The longest wait for the disk.")

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("`tls-certificate` and `tls-key` go together")
        if "store" not in self.model_fields_set and not all(one.own_store for one in self.recipients):
            raise ValueError("needs a `store`, its own or one in each of `recipients` (`none`: nothing can be kept)")
        return self

    def socket(self, base: Path) -> Path | None:
        """The UNIX socket, where it is one; a relative path counts from the directory of postroom.yaml."""
        scheme, _, path = self.url.partition(":")
        return base / Path(path).expanduser() if scheme == "lmtp+unix" else None

    @property
    def stores(self) -> tuple[Path | None, ...]:
        return tuple(one.store if one.own_store else self.store for one in self.recipients)


def recipients(mailbox: Mailbox) -> tuple[Recipient, ...]:
    """Whom a mailbox takes mail for; only listeners are asked that."""
    return mailbox.recipients if isinstance(mailbox, ListenerMailbox) else ()


AnyMailbox = Annotated[
    Annotated[StdinMailbox, Tag("stdin")]
    | Annotated[MaildirMailbox, Tag("maildir")]
    | Annotated[ImapMailbox, Tag("imap")]
    | Annotated[Pop3Mailbox, Tag("pop3")]
    | Annotated[ListenerMailbox, Tag("listener")],
    Discriminator(kind),
]
__all__ = [
    "FORMS", "Account", "AnyMailbox", "ImapMailbox", "ListenerMailbox", "Mailbox", "MaildirMailbox", "Pop3Mailbox",
    "Recipient", "StdinMailbox", "recipients",
]  # fmt: skip
