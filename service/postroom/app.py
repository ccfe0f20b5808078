"""The composition root: settings become ledger, spool, tools and worker, and nothing else builds these."""

import hashlib
import hmac
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache, cached_property, partial
from mmap import mmap
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from postroom.errors import Permanent, PostroomError, Temporary
from postroom.ledger import Ledger, Retention
from postroom.logs import StandardError
from postroom.message import Message
from postroom.pipeline.resolving import Resolver
from postroom.pipeline.tools import Memory, Reservation, Tools
from postroom.pipeline.view import Auth, Home
from postroom.servers import Servers, make_resolver
from postroom.settings import Settings, load, load_pipelines
from postroom.settings.domains import Arc as ArcLine
from postroom.settings.domains import Srs as SrsLine
from postroom.settings.mailboxes import Mailbox, StdinMailbox
from postroom.spool import Blob, Spool, collect_orphans
from postroom.steps.store import InPlace, Nowhere, Store
from postroom.transports.files import explained, make_directories
from postroom.work import Worker

if TYPE_CHECKING:
    from postroom.transports.srs import Srs

# Longer than any one message may take. A process that is gone loses its lease at once.
LEASE = timedelta(hours=1)
TIDY = timedelta(days=1)
ABANDONED = timedelta(days=10)
ROUNDS = 20  # of removing rows whose time is over, each bounded


@dataclass(frozen=True, kw_only=True)
class Site:
    """Everything that one mailbox of standard input needs."""

    settings: Settings
    name: str
    mailbox: StdinMailbox
    pipeline: str
    ledger: Ledger
    spool: Spool
    tools: Tools
    worker: Worker
    home: Home

    @contextmanager
    def reading(self, content: bytes | Blob) -> Iterator[bytes | mmap]:
        """The bytes of an arrival, wherever they lie."""
        if isinstance(content, bytes):
            yield content
            return
        with self.spool.open(content.name) as raw:
            yield raw


@contextmanager
def open_site(config: Path | None, *, mailbox: str | None, pipeline: str | None, passes: bool) -> Iterator[Site]:
    """What `postroom filter` works with. Raises Misconfigured and Temporary."""
    settings = load(config)
    name, chosen = standard_input(settings, mailbox)
    going = pipeline or settings.pipeline_of(name)
    assert going is not None, "the settings were checked"
    state = settings.state_of(name)
    spool = open_spool(settings, state)
    log = StandardError(format=settings.logs.format, level="error" if settings.logs.level == "error" else "warning")
    with open_ledger(settings, state) as ledger:
        tools = replace(
            make_tools(settings, state, ledger),
            away=lambda scanner, reason: log.warning("scanner.away", scanner=scanner, reason=reason),
        )
        # Read before the message is taken: an operator's mistake is found while the caller still has it.
        rules = load_pipelines(settings, [going])
        worker = Worker(
            ledger=ledger,
            spool=spool,
            tools=tools,
            pipelines=lambda wanted: rules if wanted in rules else load_pipelines(settings, [wanted]),
            retry=settings.retry,
            log=log,
            plugins=settings.plugins,
        )
        yield Site(
            settings=settings,
            name=name,
            mailbox=chosen,
            pipeline=going,
            ledger=ledger,
            spool=spool,
            tools=tools,
            worker=worker,
            home=home(chosen, str(chosen.store) if chosen.store else None, passes=passes),
        )


def standard_input(settings: Settings, wanted: str | None) -> tuple[str, StdinMailbox]:
    """The mailbox that `filter` feeds: the one named, or the only one. Raises Permanent with the remedy."""
    known = {name: mailbox for name, mailbox in settings.mailboxes.items() if isinstance(mailbox, StdinMailbox)}
    told = ", ".join(known) or "none"
    if wanted is not None:
        if wanted not in known:
            raise Permanent(f"no mailbox `{wanted}` has the url stdin:; there are: {told}")
        return wanted, known[wanted]
    if len(known) != 1:
        raise Permanent(f"say which mailbox with --mailbox; there are: {told}")
    return next(iter(known.items()))


def home(mailbox: Mailbox, store: str | None, *, passes: bool = False) -> Home:
    """Where keep, move, copy and flag act for a message of that mailbox whose row names this store."""
    if store is not None:
        return Store(store, passes=passes)
    if mailbox.settles:
        return InPlace(flags=mailbox.kind == "imap")
    return Nowhere(passes=passes)


def state_of(settings: Settings, mailbox: str | None) -> Path:
    """Where the ledger lies that a command means: that of the named mailbox, else the service's, else standard
    input's where there is nothing else."""
    if mailbox is not None and mailbox not in settings.mailboxes:
        raise Permanent(f"no mailbox is called `{mailbox}`; there are: {', '.join(settings.mailboxes) or 'none'}")
    served = any(one.kind != "stdin" for one in settings.mailboxes.values())
    if mailbox is None and not served:
        mailbox, _ = standard_input(settings, None)
    return settings.state_of(mailbox)


def open_spool(settings: Settings, state: Path) -> Spool:
    """The spool, its directories made when something is written."""
    with explained(state):
        make_directories(state, 0o700)
    return Spool(settings.spool_directory(state), min_free=settings.spool.min_free)


@contextmanager
def open_ledger(settings: Settings, state: Path) -> Iterator[Ledger]:
    """The ledger, made where there is none. Raises Temporary where its file is gone and its blobs are not."""
    url = settings.ledger_url(state)
    file = Path(url.removeprefix("sqlite:///"))
    if url.startswith("sqlite:") and not file.exists():
        spool = Spool(settings.spool_directory(state))
        if next(spool.listing(datetime.now(UTC)), None) is not None:
            raise Temporary(
                f"there are messages in {settings.spool_directory(state)}, but their ledger {file} is gone: "
                "restore it from a backup, or move the messages away to begin anew"
            )
    secret = settings.ledger.secret()
    ledger = Ledger.open(url, password=secret.get_secret_value() if secret else None)
    try:
        yield ledger
    finally:
        ledger.close()


class Storage(Memory, Protocol):
    """What the ledger, or something in its place, keeps for steps and servers."""

    def spend(self, name: str, tokens: int, per_minute: int) -> timedelta: ...


def make_tools(settings: Settings, state: Path, memory: Storage, *, patience: float | None = None) -> Tools:
    """The context of steps and effects. `patience`: as Servers has it."""
    return Tools(
        clock=lambda: datetime.now(UTC),
        timezone=settings.zone,
        host=settings.host,
        files=state / "files",
        quarantine=state / "quarantine",
        memory=memory,
        trust=settings.trusted,
        limits=settings.limits.parser,
        match_limit=settings.limits.match,
        servers=Servers(settings, memory.spend, patience),
        resolver=cache(lambda: make_resolver(settings)),
        seal=SiteSeal(settings, state),
        srs=LazySrs(settings.srs) if settings.srs else None,
        arc=LazyArc(settings.arc, settings.host) if settings.arc else None,
        secrets={name: partial(_first, settings, name) for name in settings.secrets},
        addresses={name: mailbox.ours for name, mailbox in settings.mailboxes.items()},
        scanners=settings.scanning,
        bayes=state / "bayes",
    )


def _first(settings: Settings, name: str) -> str:
    """The secret that signs, fetched now. Raises Temporary."""
    named = settings.secrets[name]
    return (named[0] if isinstance(named, tuple) else named).reveal().get_secret_value()


def tidy(site: Site) -> None:
    """Once a day, what no sweeper does for standard input: end what is over. The message is settled by now, so that
    an error here is left for the next day."""
    stamp = site.settings.state_of(site.name) / "tidied"
    now = datetime.now(UTC)
    with suppress(OSError, PostroomError):
        with suppress(FileNotFoundError):
            if now.timestamp() - stamp.stat().st_mtime < TIDY.total_seconds():
                return
        stamp.touch(mode=0o600)
        site.ledger.abandon([site.name], older_than=ABANDONED)
        policy = Retention(settled=site.settings.retention.settled, dead=site.settings.retention.dead)
        for _ in range(ROUNDS):
            retained = site.ledger.retain(policy)
            for name in retained.blobs:
                site.spool.delete(name)
            if not retained.rows:
                break
        collect_orphans(site.ledger.known_blobs, site.spool, now=now)


def secrets_of(settings: Settings, state: Path) -> tuple[bytes, ...]:
    """The site's secrets, the first of which signs our own markers; one is made where none is named and nobody else
    shares the ledger. Raises Permanent and Temporary."""
    named = settings.secrets.get("site")
    if named is not None:
        sources = named if isinstance(named, tuple) else (named,)
        return tuple(source.reveal().get_secret_value().encode() for source in sources)
    if not settings.ledger_url(state).startswith("sqlite:"):
        raise Permanent("a ledger that is shared needs `secrets: {site: …}`, the same for all who share it")
    path = state / "secret"
    with explained(path):
        make_directories(state, 0o700)
        with suppress(FileExistsError):
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                os.write(handle, secrets.token_hex(32).encode())
                os.fsync(handle)
            finally:
                os.close(handle)
        return (path.read_bytes(),)


class SiteSeal:
    """Signs with the site's secret, which is read, and made where it has to be, when something is first signed."""

    def __init__(self, settings: Settings, state: Path) -> None:
        self._settings = settings
        self._state = state

    def sign(self, text: str) -> str:
        return _signature(self._secrets[0], text)

    def verify(self, text: str, signature: str) -> bool:
        if "site" not in self._settings.secrets and not (self._state / "secret").exists():
            return False  # nothing was ever signed here
        return True in [hmac.compare_digest(_signature(one, text), signature) for one in self._secrets]

    @cached_property
    def _secrets(self) -> tuple[bytes, ...]:
        return secrets_of(self._settings, self._state)


class LazySrs:
    """Reads its secrets when an address is rewritten: few messages are forwarded."""

    def __init__(self, line: SrsLine) -> None:
        self._line = line

    def rewritten(self, sender: str, now: datetime) -> str:
        return self._srs.rewritten(sender, now)

    def reversed(self, recipient: str, now: datetime) -> str | None:
        if recipient.rpartition("@")[2].lower() != self._line.domain.lower():
            return None
        return self._srs.reversed(recipient, now)

    @property
    def _srs(self) -> "Srs":
        from postroom.transports.srs import Srs

        path = self._line.secret_file
        with explained(path):
            lines = path.read_bytes().split(b"\n")
        known = tuple(line.strip() for line in lines if line.strip())
        if not known:
            raise Temporary(f"{path} holds no secret")
        return Srs(domain=self._line.domain, secrets=known)


class LazyArc:
    """Reads its key when a message is sealed."""

    def __init__(self, line: ArcLine, host: str) -> None:
        self._line = line
        self._host = host

    def sealed(self, message: Message, came: Message, auth: Auth | None, resolver: Resolver, at: datetime) -> bytes:
        from postroom.authentication.sealing import Sealer, read

        path = self._line.key_file
        with explained(path):
            pem = path.read_bytes()
        try:
            key = read(pem)
        except ValueError as error:
            raise Temporary(f"{path} {error}") from None
        sealer = Sealer(domain=self._line.domain.lower(), selector=self._line.selector, key=key, host=self._host)
        return sealer.sealed(message, came, auth, resolver, at)


def _signature(secret: bytes, text: str) -> str:
    return hmac.digest(secret, text.encode("utf-8", "surrogatepass"), hashlib.sha256).hex()[:32]


class Forgetful:
    """A memory for planning without a ledger (`explain`): it knows nothing and keeps nothing."""

    def reserve(self, space: str, key: str, holder: str, period: timedelta) -> Reservation:
        return Reservation.FREE

    def remember(self, space: str, key: str, holder: str, period: timedelta) -> bool:
        return True

    def recall(self, space: str, key: str) -> bool:
        return False

    def spend(self, name: str, tokens: int, per_minute: int) -> timedelta:
        return timedelta(0)
