"""What postroom.yaml may hold: every key with its type, default and meaning, written once.

The JSON Schema and the reference page are made from here.
"""

import os
import re
from datetime import timedelta, tzinfo
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    WithJsonSchema,
    model_validator,
)

from postroom.authentication.hosts import check as check_host
from postroom.logs import Format, Level
from postroom.message.limits import DEFAULT_LIMITS, Limits
from postroom.model import Model
from postroom.pipeline.tools import Scanner, Scanners, Trust
from postroom.settings.document import Source
from postroom.settings.domains import Arc, ResolverLine, Srs
from postroom.settings.mailboxes import AnyMailbox, StdinMailbox
from postroom.settings.passwords import WithPassword
from postroom.settings.secrets import SecretSource
from postroom.settings.servers import AnyServer
from postroom.settings.spelling import FilePath, Name, Period, kebab
from postroom.units import Duration, Size

# Built once, as parts of Settings: each `postroom filter` is a new process and reads its settings.
SETTINGS = ConfigDict(alias_generator=kebab, defer_build=True)
_HOST_PORT = r"(?:\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):\d{1,5}"
_URL_PASSWORD = re.compile(r"[a-z0-9+]+://[^/?#]*:[^/?#]*@|[?&]password=")


def _ledger_url(url: str) -> str:
    if _URL_PASSWORD.search(url):
        raise ValueError("a password does not belong into the URL: use `password-file` or another `password` key")
    if not re.match(r"sqlite:///.|postgresql(\+psycopg)?://.", url):
        raise ValueError("must begin with `sqlite:///` or `postgresql://`")
    return url


def _spool_url(url: str) -> str:
    if not re.match(r"file:.", url):
        raise ValueError("must be `file:` and a directory")
    return url


def _queue_url(url: str) -> str:
    if _URL_PASSWORD.search(url):
        raise ValueError("a password does not belong into the URL: use `password-file` or another `password` key")
    if not re.match(r"memory://$|rediss?://.|redis\+socket://.", url):
        raise ValueError("must be `memory://`, `redis://HOST:PORT/NUMBER`, `rediss://…` or `redis+socket:///PATH`")
    return url


def _rspamd_url(url: str) -> str:
    if not re.fullmatch(rf"http://{_HOST_PORT}/?|unix:/.+", url):
        raise ValueError("must be `http://HOST:PORT` or `unix:/PATH`")
    return url


def _socket_url(url: str) -> str:
    if not re.fullmatch(rf"tcp://{_HOST_PORT}|unix:/.+", url):
        raise ValueError("must be `tcp://HOST:PORT` or `unix:/PATH`")
    return url


def _listen(text: str) -> str | None:
    if text == "none":
        return None
    if not re.fullmatch(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+):\d{1,5}", text) or int(text.rpartition(":")[2]) > 65535:
        raise ValueError("must be ADDRESS:PORT, such as 127.0.0.1:9925, or `none`")
    return text


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


class Ledger(WithPassword):
    """The database of messages and effects."""

    url: Annotated[str, AfterValidator(_ledger_url)] | None = Field(
        default=None,
        description="`sqlite:///FILE` or `postgresql://USER@HOST/NAME`; default: ledger.db in `state`.",
    )


class Spool(Model):
    """The store of raw messages."""

    model_config = SETTINGS

    url: Annotated[str, AfterValidator(_spool_url)] | None = Field(
        default=None, description="`file:DIRECTORY`; default: `spool` in the state directory."
    )
    inline: Size = Field(default=64 * 1024, description="Messages up to this size lie in the ledger, beside their row.")
    min_free: Size = Field(default=2**30, description="Free space below which no more mail is taken.")


class Logs(Model):
    """What is written to standard error."""

    model_config = SETTINGS

    format: Format = Field(default="auto", description="`auto`: lines for people on a terminal, JSON elsewhere.")
    level: Level = Field(default="info", description="The least severe events that are written.")


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


class Retry(Model):
    """When effects that failed are tried again; times count from the plan."""

    model_config = SETTINGS

    first: Duration = Field(default=timedelta(minutes=5), description="The wait before the second try.")
    factor: float = Field(default=2.0, ge=1, le=10, description="Each further wait is this many times longer.")
    most: Duration = Field(default=timedelta(hours=4), description="The longest wait.")
    for_: Duration = Field(default=timedelta(days=5), description="After this time a failing effect is dead.")
    crashes: int = Field(default=3, ge=1, le=100, description="Tries that never ended before a message is dead.")


class Retention(Model):
    """How long finished messages stay in ledger and spool."""

    model_config = SETTINGS

    settled: Period = Field(default=timedelta(days=30), description="Messages that are done; or `never` deleted.")
    dead: Period = Field(default=None, description="Dead letters; `never` deleted unless a duration stands here.")


class TrustLine(Model):
    """Whose header lines are believed by `spam: headers` and `authenticate: headers`."""

    model_config = SETTINGS

    hosts: tuple[Annotated[str, AfterValidator(check_host)], ...] = Field(
        default=(),
        description="Your mail servers, as `by` in Received fields: names, also with `*`, addresses and networks. What "
        "stands above the lowest of these is believed. None: what stands above the first Received field.",
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


class LimitSettings(Model):
    """Bounds that hostile messages meet; past one a message is cut, never lost."""

    model_config = SETTINGS

    message: Size = Field(
        default=50_000_000, description="Largest message; standard input takes larger ones all the same."
    )
    parts: int = Field(default=DEFAULT_LIMITS.parts, ge=1, description="Parts of a message that are told apart.")
    depth: int = Field(default=DEFAULT_LIMITS.depth, ge=1, description="Parts within parts.")
    headers: int = Field(default=DEFAULT_LIMITS.headers, ge=1, description="Fields of one header.")
    header: Annotated[Size, Field(ge=998)] = Field(
        default=DEFAULT_LIMITS.header, description="Decoded part of one field."
    )
    boundaries: int = Field(default=DEFAULT_LIMITS.boundaries, ge=1, description="Lines looked at as boundaries.")
    match: Size = Field(default=1_000_000, description="The part of a body that patterns see.")
    in_flight: int = Field(
        default=200, ge=1, description="Messages of one mailbox that are worked on before more are collected."
    )
    in_flight_bytes: Size = Field(default=256_000_000, description="Their octets.")

    @property
    def parser(self) -> Limits:
        """Those that the parser keeps."""
        return Limits(**{name: getattr(self, name) for name in Limits.model_fields})


class Queue(WithPassword):
    """The Celery queue, which only rings: what is due stands in the ledger."""

    url: Annotated[
        str,
        AfterValidator(_queue_url),
        WithJsonSchema({"type": "string", "pattern": r"^(memory://$|rediss?://.|redis\+socket://.)"}),
    ] = Field(default="memory://", description="`memory://`: inside `postroom run`; else `redis://HOST/NUMBER`.")
    name: Name = Field(default="postroom", description="Prefix of the queues and keys there.")
    threads: int = Field(default=4, ge=1, le=64, description="Messages that one worker works on at once.")
    batch: int = Field(default=100, ge=1, le=1000, description="Messages in one task.")


class Metrics(Model):
    """Where Prometheus asks, and health checks."""

    model_config = SETTINGS

    listen: Annotated[str, AfterValidator(_listen)] | None = Field(
        default="127.0.0.1:9925", description="ADDRESS:PORT; port 0: any free one, which is told. `none`: nowhere."
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
