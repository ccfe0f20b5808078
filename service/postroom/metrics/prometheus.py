"""What happened, as numbers for Prometheus: every metric of events is declared here, those of states in `standing`.

Labels are names from the configuration or members of closed sets; anything else is counted as `other`, so that nothing
in a message, however hostile, makes a series of its own. prometheus_client is loaded with the first Metrics.
"""

import time
from collections.abc import Callable, Collection, Iterable, Mapping, Set
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar, get_args

from postroom import __version__
from postroom.message.defects import Defect
from postroom.metrics import Outcome, Result, Ring
from postroom.metrics.standing import DECLARED, Questions, Standing
from postroom.pipeline.plan import Plan
from postroom.pipeline.tools import ScannerName
from postroom.sources import Loss
from postroom.steps import EFFECTS, STEPS

if TYPE_CHECKING:
    from prometheus_client.metrics import MetricWrapperBase

M = TypeVar("M", bound="MetricWrapperBase")

OTHER = "other"
LIFE = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 3600, 21600, 86400)  # of a message
WORK = (0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60)  # of a step or an effect


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """The names in the configuration: mailboxes, servers, and pipelines with their rules."""

    mailboxes: Set[str] = frozenset()
    servers: Set[str] = frozenset()
    pipelines: Mapping[str, Set[str]] = field(default_factory=dict)


class Metrics:
    """One process's numbers, in a registry of their own. Methods are named after what happened; any thread may call
    them."""

    def __init__(self, names: Names | None = None, *, now: Callable[[], float] = time.time) -> None:
        from prometheus_client import (
            CollectorRegistry,
            Counter,
            Gauge,
            Histogram,
            Info,
            ProcessCollector,
            disable_created_metrics,
        )

        # Else a series stands beside each series, which nobody asks for.
        disable_created_metrics()  # type: ignore[no-untyped-call]  # theirs
        self.registry = registry = CollectorRegistry(auto_describe=False)
        self.labels: dict[str, tuple[str, ...]] = {}  # of every metric, by its name
        self._names = names or Names()
        self._now = now
        self._known: dict[tuple[object, ...], Any] = {}

        def counter(name: str, told: str, *labels: str) -> Counter:
            self.labels[f"postroom_{name}"] = labels
            return Counter(f"postroom_{name}", told, labels, registry=registry)

        def gauge(name: str, told: str, *labels: str) -> Gauge:
            self.labels[f"postroom_{name}"] = labels
            return Gauge(f"postroom_{name}", told, labels, registry=registry)

        def histogram(name: str, told: str, label: str, buckets: tuple[float, ...]) -> Histogram:
            self.labels[f"postroom_{name}"] = (label,)
            return Histogram(f"postroom_{name}", told, [label], buckets=buckets, registry=registry)

        ProcessCollector(registry=registry)
        Info("postroom", "This program.", registry=registry).info({"version": __version__})
        self._messages = counter("messages_total", "Messages that reached their end.", "mailbox", "pipeline", "outcome")
        self._message_seconds = histogram("message_seconds", "From arrival to the last effect.", "mailbox", LIFE)
        self._rules = counter("rules_matched_total", "Rules that held.", "pipeline", "rule")
        self._step_seconds = histogram("step_seconds", "Planning of one step.", "word", WORK)
        self._effect_seconds = histogram("effect_seconds", "One try of an effect.", "word", WORK)
        self._effects = counter("effects_total", "Tries of effects.", "word", "result")
        self._defects = counter("defects_total", "Messages with this defect, as far as rules had them read.", "defect")
        self._rings = counter("queue_rings_total", "Messages that the queue was rung for.", "reason")
        self._connected = gauge("mailbox_connected", "1: logged in, or listening.", "mailbox")
        self._paused = gauge("mailbox_paused", "1: nothing is collected until a person decides.", "mailbox")
        self._looked = gauge(
            "mailbox_last_success_timestamp_seconds", "When the mailbox was last looked through to its end.", "mailbox"
        )
        self._reconnects = counter("mailbox_reconnects_total", "Connections that ended.", "mailbox", "reason")
        self._refused = counter("mailbox_login_refused_total", "Logins that the server refused.", "mailbox")
        self._uidvalidity = counter("uidvalidity_changes_total", "Folders that got a new UIDVALIDITY.", "mailbox")
        self._replies = counter("listener_replies_total", "Replies of a listener.", "mailbox", "class")
        self._sent = counter("smtp_replies_total", "Replies of servers to messages.", "server", "class")
        self._scanner_errors = counter(
            "scanner_errors_total", "Messages about which a scanner gave no answer.", "scanner"
        )
        self._reload = gauge("reload_ok", "0: the files on disk are broken, and the configuration before them is used.")
        self._reload.set(1)
        self._of_mailbox = (
            *(self._messages, self._message_seconds, self._connected, self._paused, self._looked),
            *(self._reconnects, self._refused, self._uidvalidity, self._replies),
        )

    def admit(self, names: Names) -> None:
        """The configuration was read anew. Series of mailboxes that are gone end."""
        for mailbox in self._names.mailboxes - names.mailboxes:
            self._forget(self._of_mailbox, mailbox)
        self._names = names

    def ask(self, questions: Questions, *, patience: float = 2.0) -> None:
        """Also show what ledger, queue and spool answer, within so many seconds, whenever somebody looks."""
        self.labels |= {f"postroom_{name}": labels for name, _, labels in DECLARED}
        self.registry.register(Standing(questions, lambda: self._names.mailboxes, patience))

    def page(self, accept: str = "") -> tuple[bytes, str]:
        """The numbers as they are now, and their media type, for a request with that Accept field."""
        from prometheus_client.exposition import choose_encoder

        encode, kind = choose_encoder(accept)
        return encode(self.registry), kind

    # What the worker tells.

    def ended(self, mailbox: str, pipeline: str, outcome: Outcome) -> None:
        """A message came to its end; its source has nothing more to do."""
        self._series(self._messages, self._mailbox(mailbox), _among(self._names.pipelines, pipeline), outcome).inc()

    def worked(self, mailbox: str, age: timedelta) -> None:
        """All effects of a message are done or dead, that long after it came in."""
        self._series(self._message_seconds, self._mailbox(mailbox)).observe(max(0.0, age.total_seconds()))

    def planned(self, plan: Plan, defects: Iterable[Defect] = ()) -> None:
        """A message with these defects was planned."""
        for trace in plan.trace.rules:
            if trace.held:
                pipeline = _among(self._names.pipelines, trace.pipeline)
                rule = _among(self._names.pipelines.get(trace.pipeline, ()), trace.rule)
                self._series(self._rules, pipeline, rule).inc()
        for defect in defects:
            self._series(self._defects, defect.value).inc()

    def step(self, word: str, seconds: float) -> None:
        """A step was asked what it decides."""
        self._series(self._step_seconds, _among(STEPS, word)).observe(seconds)

    def away(self, scanner: ScannerName) -> None:
        """A scanner gave no answer."""
        self._series(self._scanner_errors, scanner).inc()

    def effect(self, word: str, result: Result, seconds: float) -> None:
        """An effect was tried."""
        named = _among(EFFECTS, word)
        self._series(self._effects, named, result).inc()
        self._series(self._effect_seconds, named).observe(seconds)

    def rung(self, reason: Ring, messages: int = 1) -> None:
        """Workers were told of messages."""
        self._series(self._rings, reason).inc(messages)

    # What watchers and listeners tell.

    def watching(self, mailbox: str) -> None:
        """This process holds the mailbox's lease now, and is not connected yet."""
        self.connected(mailbox, up=False)
        self.paused(mailbox, up=False)

    def unwatched(self, mailbox: str) -> None:
        """The lease went to another; that one speaks for the mailbox."""
        self._forget((self._connected, self._paused, self._looked), self._mailbox(mailbox))

    def connected(self, mailbox: str, *, up: bool) -> None:
        """Logged in, or no more."""
        self._series(self._connected, self._mailbox(mailbox)).set(up)

    def looked(self, mailbox: str) -> None:
        """Looked through to its end."""
        self._series(self._looked, self._mailbox(mailbox)).set(self._now())

    def lost(self, mailbox: str, reason: Loss) -> None:
        """The connection ended; another is tried."""
        self.connected(mailbox, up=False)
        self._series(self._reconnects, self._mailbox(mailbox), _among(get_args(Loss), reason)).inc()

    def login_refused(self, mailbox: str) -> None:
        """The server said no."""
        self._series(self._refused, self._mailbox(mailbox)).inc()

    def paused(self, mailbox: str, *, up: bool) -> None:
        """Waits for a person, or no more."""
        self._series(self._paused, self._mailbox(mailbox)).set(up)

    def uidvalidity_changed(self, mailbox: str) -> None:
        """A folder got a new UIDVALIDITY."""
        self._series(self._uidvalidity, self._mailbox(mailbox)).inc()

    def listener_reply(self, mailbox: str, code: int) -> None:
        """Such as 250."""
        self._series(self._replies, self._mailbox(mailbox), f"{code // 100}xx" if 200 <= code < 600 else OTHER).inc()

    def smtp_reply(self, server: str, code: int) -> None:
        """A server's to a message; 0, which counts as `other`: it was lost."""
        label = f"{code // 100}xx" if 200 <= code < 600 else OTHER
        self._sent.labels(_among(self._names.servers, server), label).inc()

    def reloaded(self, *, ok: bool) -> None:
        """Files were read anew; whether they are used."""
        self._reload.set(ok)

    def _series(self, metric: M, *labels: str) -> M:
        # Looking it up in prometheus_client costs more than the counting.
        key = (metric, *labels)
        found: M | None = self._known.get(key)
        if found is None:
            found = self._known[key] = metric.labels(*labels)
        return found

    def _forget(self, metrics: Iterable["MetricWrapperBase"], mailbox: str) -> None:
        for metric in metrics:
            metric.remove_by_labels({"mailbox": mailbox})
        self._known.clear()

    def _mailbox(self, name: str) -> str:
        return _among(self._names.mailboxes, name)


def _among(known: Collection[str], name: str) -> str:
    return name if name in known else OTHER
