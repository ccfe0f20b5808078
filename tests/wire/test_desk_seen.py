"""What a source tells its desk of itself reaches status, metrics and log."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from postroom.desk import MailboxDesk
from postroom.errors import Permanent
from postroom.metrics.prometheus import Metrics, Names
from postroom.settings.mailboxes import ImapMailbox
from wire.sites import site

ACCOUNT = ImapMailbox.model_validate({"url": "imaps://me@imap.example", "password": "x"})
Tell = Callable[[MailboxDesk], None]
TELLING: dict[str, tuple[Tell, str, dict[str, str]]] = {
    "connected": (lambda desk: desk.connected(), "mailbox_connected", {}),
    "lost": (lambda desk: desk.lost("bye"), "mailbox_reconnects_total", {"reason": "bye"}),
    "refused": (lambda desk: desk.refused(Permanent("no")), "mailbox_login_refused_total", {}),
    "paused": (lambda desk: desk.paused("101 messages are new"), "mailbox_paused", {}),
    "uidvalidity": (lambda desk: desk.uidvalidity_changed(), "uidvalidity_changes_total", {}),
    "replied": (lambda desk: desk.replied(550), "listener_replies_total", {"class": "5xx"}),
}


@asynccontextmanager
async def at_desk(directory: Path) -> AsyncIterator[tuple[MailboxDesk, Metrics]]:
    async with site(directory, ACCOUNT) as made:
        metrics = made.desk._office.metrics
        metrics.admit(Names(mailboxes={"box"}))
        yield made.desk, metrics


@pytest.mark.parametrize(("tell", "name", "labels"), TELLING.values(), ids=TELLING)
async def test_what_a_source_tells_is_counted_for_its_mailbox(
    tmp_path: Path, tell: Tell, name: str, labels: dict[str, str]
) -> None:
    async with at_desk(tmp_path) as (desk, metrics):
        tell(desk)
        assert metrics.registry.get_sample_value(f"postroom_{name}", {"mailbox": "box"} | labels) == 1


async def test_a_mailbox_is_no_longer_refused_once_it_is_connected(tmp_path: Path) -> None:
    async with at_desk(tmp_path) as (desk, _):
        desk.refused(Permanent("the server refuses the login"))
        assert (desk.seen.connected, desk.seen.refused) == (False, "the server refuses the login")
        desk.connected()
        assert (desk.seen.connected, desk.seen.refused) == (True, None)


async def test_a_connection_that_never_was_is_not_lost_twice(tmp_path: Path) -> None:
    async with at_desk(tmp_path) as (desk, _):
        desk.connected()
        desk.lost("bye")
        desk.lost("timeout")
        assert (desk.seen.connected, desk.seen.reconnects) == (False, 1)


async def test_a_pause_has_its_reason_and_ends(tmp_path: Path) -> None:
    async with at_desk(tmp_path) as (desk, metrics):
        desk.paused("101 messages are new")
        assert desk.seen.paused == "101 messages are new"
        desk.paused("")
        assert desk.seen.paused is None
        assert metrics.registry.get_sample_value("postroom_mailbox_paused", {"mailbox": "box"}) == 0
