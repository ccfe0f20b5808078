"""What postroom.yaml may hold: every key with its type, default and meaning, written once.

The JSON Schema and the reference page are made from here, and from the rooms beside, one for each group of keys.
"""

import os
from datetime import tzinfo
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, ConfigDict, Field, PrivateAttr

from postroom.model import Model
from postroom.pipeline.tools import Scanner, Scanners, Trust
from postroom.settings.document import Source
from postroom.settings.domains import Arc, ResolverLine, Srs
from postroom.settings.limits import LimitSettings
from postroom.settings.mailboxes import AnyMailbox, StdinMailbox
from postroom.settings.scanning import ScannerSettings, TrustLine
from postroom.settings.secrets import SecretSource
from postroom.settings.seeing import Logs, Metrics
from postroom.settings.servers import AnyServer
from postroom.settings.spelling import SETTINGS, FilePath, Name
from postroom.settings.storage import Ledger, Retention, Spool
from postroom.settings.working import Queue, Retry
from postroom.units import Duration

__all__ = ["Metrics", "Queue", "Retry", "Settings", "user_state"]


def _timezone(name: str) -> str:
    if name != "UTC":
        from zoneinfo import ZoneInfo

        try:
            ZoneInfo(name)
        except (OSError, ValueError, LookupError):
            raise ValueError("this machine knows no such time zone; write it like `Europe/Berlin`") from None
    return name


def _address(text: str) -> str:
    from postroom.message import parse_address

    address = parse_address(text)
    if address is None or not address.domain:
        raise ValueError("an address is expected here: postroom@example.com")
    return text


class Defaults(Model):
    """Used where a mailbox or a step says nothing."""

    model_config = SETTINGS

    pipeline: Name | None = Field(default=None, description="The pipeline of mailboxes that name none.")
    server: Name | None = Field(default=None, description="The server of steps that send and name none.")
    from_: Annotated[str, AfterValidator(_address)] | None = Field(
        default=None, description="Our address in messages that steps write."
    )
    timeout: Duration | None = Field(
        default=None,
        description="The time limit of steps that have one and give none; default: each step's own.",
    )


class Settings(Model):
    """All of postroom.yaml. Paths are relative to the file; secrets are fetched when they are needed."""

    model_config = SETTINGS | ConfigDict(title="postroom.yaml")

    state: FilePath | None = Field(
        default=None,
        description="What Postroom writes; default: postroom in $XDG_STATE_HOME or ~/.local/state.",
    )
    pipelines: FilePath = Field(
        default=Path("pipelines"),
        description="The directory of pipelines; each *.yaml in it is one, named by its stem.",
    )
    plugins: tuple[str, ...] = Field(default=(), description="Names of `postroom.steps` entry points to admit.")
    host: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,255}$")] = Field(
        default_factory=lambda: os.uname().nodename,
        description="Our name in files and headers; default: the machine's.",
    )
    timezone: Annotated[str, AfterValidator(_timezone)] = Field(
        default="UTC",
        description="For dates, times and weekdays in conditions and templates, like `Europe/Berlin`.",
    )
    ledger: Ledger = Field(default_factory=Ledger.model_construct, description="The database of messages and effects.")
    queue: Queue = Field(default_factory=Queue.model_construct, description="How workers are told of messages.")
    metrics: Metrics = Field(default_factory=Metrics.model_construct, description="Prometheus and health checks.")
    reload: Literal["signal", "change"] = Field(
        default="signal",
        description="When files are read anew: at SIGHUP, or also when they change. A worker that meets a mailbox or a "
        "pipeline that it does not know reads files that are newer in either case.",
    )
    spool: Spool = Field(default_factory=Spool.model_construct, description="The store of raw messages.")
    logs: Logs = Field(default_factory=Logs.model_construct, description="What is written to standard error.")
    defaults: Defaults = Field(
        default_factory=Defaults.model_construct, description="Used where a mailbox or a step says nothing."
    )
    retry: Retry = Field(default_factory=Retry.model_construct, description="When effects that failed are tried again.")
    retention: Retention = Field(
        default_factory=Retention.model_construct,
        description="How long finished messages stay in ledger and spool.",
    )
    trust: TrustLine = Field(default_factory=TrustLine.model_construct, description="Whose header lines are believed.")
    scanners: ScannerSettings = Field(
        default_factory=ScannerSettings.model_construct, description="Servers that look at messages."
    )
    limits: LimitSettings = Field(
        default_factory=LimitSettings.model_construct, description="Bounds that hostile messages meet."
    )
    secrets: dict[Name, SecretSource | Annotated[tuple[SecretSource, ...], Field(min_length=1)]] = Field(
        default={},
        description="Secrets that pipelines name; of a list the first signs and all verify.",
    )
    resolver: ResolverLine = Field(default_factory=ResolverLine.model_construct, description="The DNS.")
    srs: Srs | None = Field(default=None, description="How senders of forwarded mail are rewritten; default: not.")
    arc: Arc | None = Field(default=None, description="How forwarded mail is sealed where `forward` has `arc: true`.")
    servers: dict[Name, AnyServer] = Field(default={}, description="Where messages go out, by name.")
    mailboxes: dict[Name, AnyMailbox] = Field(default={}, description="Where messages come from, by name.")

    _source: Source = PrivateAttr(default_factory=lambda: Source("postroom.yaml"))

    @property
    def source(self) -> Source:
        """Where everything stands in the file."""
        return self._source

    def forget_places(self) -> None:
        """Nothing more will be told of the file: where its parts stand weighs as much as what it says."""
        self._source = Source(self._source.file)

    @property
    def file(self) -> Path:
        """The file that this was read from."""
        return Path(self._source.file)

    @property
    def zone(self) -> tzinfo:
        """The time zone of `timezone`."""
        if self.timezone == "UTC":
            from datetime import UTC

            return UTC
        from zoneinfo import ZoneInfo

        return ZoneInfo(self.timezone)

    @property
    def trusted(self) -> Trust:
        """`trust` as steps take it."""
        return Trust(hosts=self.trust.hosts, authserv_id=self.trust.authserv_id, below=self.trust.below)

    @property
    def scanning(self) -> Scanners:
        """`scanners` as steps take them."""
        return Scanners(
            **{name: Scanner(url=one.url, timeout=one.timeout, largest=one.largest) for name, one in self.scanners}
        )

    def pipeline_of(self, mailbox: str) -> str | None:
        """The pipeline that a mailbox's messages go through. Raises KeyError for an unknown mailbox."""
        return self.mailboxes[mailbox].pipeline or self.defaults.pipeline

    def state_of(self, mailbox: str | None = None) -> Path:
        """The state directory: the service's, or that of a standard input mailbox, its user's own."""
        found = self.mailboxes[mailbox] if mailbox is not None else None
        own = found.state if isinstance(found, StdinMailbox) else self.state
        return own or user_state()

    def ledger_url(self, state: Path) -> str:
        """The database's URL without password; SQLite's file is absolute."""
        url = self.ledger.url or f"sqlite:///{state / 'ledger.db'}"
        if not url.startswith("sqlite:///"):
            return url
        return "sqlite:///" + str(self._beside(url.removeprefix("sqlite:///")))

    def spool_directory(self, state: Path) -> Path:
        """Where large messages lie."""
        return self._beside(self.spool.url.removeprefix("file:")) if self.spool.url else state / "spool"

    def _beside(self, path: str) -> Path:
        return Path(os.path.normpath(self.file.absolute().parent / Path(path).expanduser()))


def user_state() -> Path:
    """The invoking user's own state directory (XDG Base Directory Specification)."""
    home = os.environ.get("XDG_STATE_HOME", "")
    return (Path(home) if home.startswith("/") else Path.home() / ".local/state") / "postroom"
