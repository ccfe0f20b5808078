"""What happened, as numbers: each method's series, and labels that nothing hostile can widen."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import get_args

import pytest

from postroom.message.defects import Defect
from postroom.metrics import Outcome, Result
from postroom.metrics.prometheus import Metrics, Names
from postroom.pipeline.plan import Plan, RuleTrace, Trace
from postroom.sources import Loss

NAMES = Names(mailboxes={"support", "list"}, pipelines={"main": {"Junk", "Bills"}})
HOSTILE = 'evil"} 1\npostroom_reload_ok 0\n# <a@b.example>'
Told = Callable[[Metrics], object]


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(f"postroom_{name}", labels)


def planned(pipeline: str, *rules: tuple[str, bool | None]) -> Plan:
    traces = tuple(RuleTrace(pipeline=pipeline, rule=rule, held=held) for rule, held in rules)
    return Plan(pipeline=pipeline, version="1", trace=Trace(rules=traces))


TELLING: dict[str, tuple[Told, str, dict[str, str]]] = {
    "ended": (
        lambda m: m.ended("support", "main", "moved"),
        "messages_total",
        {"mailbox": "support", "pipeline": "main", "outcome": "moved"},
    ),
    "message seconds": (
        lambda m: m.worked("support", timedelta(seconds=3)),
        "message_seconds_count",
        {"mailbox": "support"},
    ),
    "rules": (
        lambda m: m.planned(planned("main", ("Junk", True), ("Bills", None))),
        "rules_matched_total",
        {"pipeline": "main", "rule": "Junk"},
    ),
    "defects": (lambda m: m.planned(planned("main"), [Defect.BAD_DATE]), "defects_total", {"defect": "bad-date"}),
    "step": (lambda m: m.step("move", 0.01), "step_seconds_count", {"word": "move"}),
    "effect": (lambda m: m.effect("file", "later", 0.5), "effects_total", {"word": "file", "result": "later"}),
    "effect seconds": (lambda m: m.effect("file", "done", 0.5), "effect_seconds_count", {"word": "file"}),
    "scanner": (lambda m: m.away("clamd"), "scanner_errors_total", {"scanner": "clamd"}),
    "rung": (lambda m: m.rung("sweep"), "queue_rings_total", {"reason": "sweep"}),
    "connected": (lambda m: m.connected("support", up=True), "mailbox_connected", {"mailbox": "support"}),
    "paused": (lambda m: m.paused("support", up=True), "mailbox_paused", {"mailbox": "support"}),
    "lost": (
        lambda m: m.lost("support", "bye"),
        "mailbox_reconnects_total",
        {"mailbox": "support", "reason": "bye"},
    ),
    "login refused": (lambda m: m.login_refused("support"), "mailbox_login_refused_total", {"mailbox": "support"}),
    "uidvalidity": (lambda m: m.uidvalidity_changed("list"), "uidvalidity_changes_total", {"mailbox": "list"}),
    "reply": (
        lambda m: m.listener_reply("list", 451),
        "listener_replies_total",
        {"mailbox": "list", "class": "4xx"},
    ),
}


@pytest.mark.parametrize(("tell", "name", "labels"), TELLING.values(), ids=TELLING)
def test_what_happened_is_counted_under_its_labels(tell: Told, name: str, labels: dict[str, str]) -> None:
    metrics = Metrics(NAMES)
    tell(metrics)
    assert value(metrics, name, **labels) == 1


def test_a_rule_that_did_not_hold_or_of_which_nobody_knows_is_not_counted() -> None:
    metrics = Metrics(NAMES)
    metrics.planned(planned("main", ("Junk", False), ("Bills", None)))
    assert "rules_matched_total{" not in text(metrics)


def test_the_time_of_the_last_look_is_shown() -> None:
    metrics = Metrics(NAMES, now=lambda: 1234.5)
    metrics.looked("support")
    assert value(metrics, "mailbox_last_success_timestamp_seconds", mailbox="support") == 1234.5


def test_a_lost_connection_is_no_connection() -> None:
    metrics = Metrics(NAMES)
    metrics.connected("support", up=True)
    metrics.lost("support", "timeout")
    assert value(metrics, "mailbox_connected", mailbox="support") == 0


def test_a_reload_that_failed_shows_until_one_works() -> None:
    metrics = Metrics(NAMES)
    assert value(metrics, "reload_ok") == 1
    metrics.reloaded(ok=False)
    assert value(metrics, "reload_ok") == 0
    metrics.reloaded(ok=True)
    assert value(metrics, "reload_ok") == 1


def text(metrics: Metrics) -> str:
    return metrics.page()[0].decode()


def tell_hostile(metrics: Metrics) -> None:
    metrics.ended(HOSTILE, HOSTILE, "kept")
    metrics.worked(HOSTILE, timedelta(days=-1))
    metrics.planned(planned(HOSTILE, (HOSTILE, True)))
    metrics.planned(planned("main", (HOSTILE, True)))
    metrics.step(HOSTILE, 1)
    metrics.effect(HOSTILE, "done", 1)
    metrics.watching(HOSTILE)
    metrics.looked(HOSTILE)
    metrics.lost(HOSTILE, HOSTILE)  # type: ignore[arg-type]  # what a bug could bring
    metrics.login_refused(HOSTILE)
    metrics.uidvalidity_changed(HOSTILE)
    metrics.listener_reply(HOSTILE, 99999)


def test_a_hostile_label_value_becomes_other() -> None:
    metrics = Metrics(NAMES)
    tell_hostile(metrics)
    page = text(metrics)
    assert "evil" not in page
    assert value(metrics, "messages_total", mailbox="other", pipeline="other", outcome="kept") == 1
    assert value(metrics, "rules_matched_total", pipeline="main", rule="other") == 1
    assert value(metrics, "listener_replies_total", mailbox="other", **{"class": "other"}) == 1


def test_a_thousand_hostile_names_make_one_series() -> None:
    metrics = Metrics(NAMES)
    for number in range(1000):
        metrics.ended(f"mailbox {number}", f"pipeline {number}", "kept")
    assert len(re.findall(r"^postroom_messages_total\{", text(metrics), re.MULTILINE)) == 1


def test_series_of_a_mailbox_end_when_it_is_no_longer_configured() -> None:
    metrics = Metrics(NAMES)
    for mailbox in ("support", "list"):
        metrics.watching(mailbox)
        metrics.looked(mailbox)
        metrics.ended(mailbox, "main", "kept")
        metrics.worked(mailbox, timedelta(seconds=1))
        metrics.lost(mailbox, "bye")
    metrics.admit(Names(mailboxes={"list"}, pipelines=NAMES.pipelines))
    assert 'mailbox="support"' not in text(metrics)
    assert value(metrics, "mailbox_connected", mailbox="list") == 0
    metrics.connected("support", up=True)
    assert value(metrics, "mailbox_connected", mailbox="other") == 1


def test_who_lost_the_lease_says_nothing_about_the_mailbox_any_more() -> None:
    metrics = Metrics(NAMES)
    metrics.watching("support")
    metrics.looked("support")
    metrics.unwatched("support")
    assert 'mailbox="support"' not in text(metrics)


def test_two_processes_worth_of_metrics_share_nothing() -> None:
    first, second = Metrics(NAMES), Metrics(NAMES)
    first.rung("new", 5)
    assert value(second, "queue_rings_total", reason="new") is None


@pytest.mark.parametrize("kind", ["text/plain", "application/openmetrics-text"])
def test_the_page_is_written_as_asked(kind: str) -> None:
    body, told = Metrics(NAMES).page(f"{kind};version=1.0.0;q=0.5,*/*;q=0.1")
    assert told.startswith(kind)
    assert body.endswith(b"# EOF\n") is (kind != "text/plain")


def test_closed_sets_are_the_ones_that_operators_are_told() -> None:
    assert set(get_args(Result)) == {"done", "later", "dead", "uncertain"}
    assert set(get_args(Outcome)) >= {"kept", "moved", "gone", "own", "vanished", "dead"}
    assert "other" not in {*get_args(Loss), *get_args(Outcome), *get_args(Result)}


def test_no_series_stands_beside_each_series() -> None:
    metrics = Metrics(NAMES)
    metrics.ended("support", "main", "kept")
    metrics.step("move", 0.1)
    assert "_created" not in text(metrics)
