"""Mailboxes on this machine: standard input, and Maildirs."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, WithJsonSchema

from postroom.settings import urls
from postroom.settings.mailboxes.mailbox import Handled, KeepOnServer, Mailbox
from postroom.settings.spelling import FilePath, Store
from postroom.units import Duration

FORMS: Final = (
    '"stdin:", maildir:PATH, imaps://HOST, imap://HOST (STARTTLS), pop3s://HOST, pop3://HOST (STLS), '
    "lmtp://HOST:PORT, lmtp+unix:PATH or smtp://HOST:PORT"
)


def _standard_input(url: str) -> str:
    if url != "stdin:":
        raise ValueError(f"must be {FORMS}")
    return url


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
