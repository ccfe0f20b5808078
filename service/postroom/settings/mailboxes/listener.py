"""Sockets on which mail servers hand over messages."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator

from postroom.model import Model
from postroom.settings import urls
from postroom.settings.mailboxes.mailbox import Mailbox
from postroom.settings.spelling import SETTINGS, FilePath, Name, Store
from postroom.units import Duration


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


StoreOf = Annotated[Store, BeforeValidator(_templated)]


class Recipient(Model):
    """Whom a listener takes mail for, and where that goes. The first that matches wins."""

    model_config = SETTINGS

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
    new_stores: int = Field(
        default=100,
        ge=1,
        le=1000,
        description="Stores that may be made within an hour where a recipient's address names them: mail for further "
        "ones waits. One that you make yourself does not count.",
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

    def new_ones(self, store: str) -> int | None:
        """How many stores like this one may be made within an hour; None: the settings name it whole."""
        return None if store in map(str, self.stores) else self.new_stores


def recipients(mailbox: Mailbox) -> tuple[Recipient, ...]:
    """Whom a mailbox takes mail for; only listeners are asked that."""
    return mailbox.recipients if isinstance(mailbox, ListenerMailbox) else ()
