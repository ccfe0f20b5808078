"""Arrivals become rows, each once, whatever is in them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from postroom.errors import Permanent
from postroom.ledger import Arrival, Batch, Cursor, Ledger, Query, Recorded, Refused, Retention, State
from postroom.spool import Blob

DAY = timedelta(days=1)
WHEN = datetime(2026, 3, 1, 12, 30, 15, 123456, tzinfo=UTC)


def arrival(key: str = "key", content: bytes | Blob | None = b"x", **more: Any) -> Arrival:
    return Arrival(source_key=key, pipeline="p", received=WHEN, content=content, **more)


def record(ledger: Ledger, *arrivals: Arrival, mailbox: str = "box", **more: Any) -> tuple[Recorded | Refused, ...]:
    return ledger.record(mailbox, Batch(arrivals=arrivals), **more)


def test_a_row_gives_back_what_arrived(ledger: Ledger, clerk: Any) -> None:
    (answer,) = record(
        ledger,
        arrival(
            content=b"\x00\xff",
            sender="",
            recipients=("a@example.com", "b@example.com"),
            store="/srv/mail",
            folder="INBOX",
            flags=frozenset({"\\Seen", "$Junk"}),
            message_id="<1@example.com>",
            prefix=b"Return-Path: <>\r\n",
        ),
    )
    row = clerk.row(clerk.recorded(answer))
    assert (row.mailbox, row.source_key, row.state, row.pipeline) == ("box", "key", State.RECEIVED, "p")
    assert (row.sender, row.recipients) == ("", ("a@example.com", "b@example.com"))
    assert (row.store, row.folder, row.flags) == ("/srv/mail", "INBOX", {"\\Seen", "$Junk"})
    assert (row.message_id, row.prefix, row.size, row.received_at) == (
        "<1@example.com>",
        b"Return-Path: <>\r\n",
        2,
        WHEN,
    )
    assert ledger.content(row) == b"\x00\xff"


@pytest.mark.parametrize("when", [datetime(1970, 1, 1, tzinfo=UTC), datetime(1969, 7, 20, 20, 17, tzinfo=UTC)])
def test_a_message_as_old_as_time_itself_is_read_back(ledger: Ledger, clerk: Any, when: datetime) -> None:
    """`touch -d @0` on a file in a Maildir: its row could not be read, nor could any beside it."""
    (answer,) = record(ledger, replace(arrival(), received=when))
    assert clerk.row(clerk.recorded(answer)).received_at == when


def test_a_known_key_gives_its_row_and_stores_nothing(ledger: Ledger, clerk: Any) -> None:
    (first,) = record(ledger, arrival(content=b"first"))
    (second,) = record(ledger, arrival(content=b"second"))
    assert isinstance(first, Recorded)
    assert isinstance(second, Recorded)
    assert (first.new, second.new) == (True, False)
    assert first.id == second.id
    assert ledger.content(clerk.row(first.id)) == b"first"


def test_equal_keys_of_two_mailboxes_are_two_messages(ledger: Ledger) -> None:
    (one,) = record(ledger, arrival(), mailbox="one")
    (two,) = record(ledger, arrival(), mailbox="two")
    assert isinstance(one, Recorded)
    assert isinstance(two, Recorded)
    assert one.id != two.id


def test_a_batch_answers_in_its_own_order_with_known_and_repeated_keys(ledger: Ledger) -> None:
    record(ledger, arrival("b"))
    answers = record(ledger, arrival("c"), arrival("b"), arrival("a"), arrival("c"))
    assert [answer.source_key for answer in answers] == ["c", "b", "a", "c"]
    assert [isinstance(answer, Recorded) and answer.new for answer in answers] == [True, False, True, False]


def test_one_content_for_several_recipients_is_stored_once(ledger: Ledger) -> None:
    content = b"shared"
    record(ledger, arrival("1", content), arrival("2", content), arrival("3", bytes(bytearray(content))))
    rows = ledger.find(Query())
    blobs = [row.blob for row in rows]
    assert blobs[2] == blobs[1] != blobs[0]
    assert ledger.contents([blob for blob in blobs if blob]).keys() == set(blobs)


def test_a_blob_of_the_spool_is_named_and_not_contained(ledger: Ledger, clerk: Any) -> None:
    blob = Blob("20260301T000000.000000-0123456789abcdef", "ab" * 32, 10**9)
    (answer,) = record(ledger, arrival(content=blob))
    row = clerk.row(clerk.recorded(answer))
    assert (row.blob, row.sha256, row.size) == (blob.name, blob.sha256, blob.size)
    assert ledger.content(row) is None
    assert ledger.known_blobs([blob.name, "other"]) == {blob.name}


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("a\0b", id="NUL"),
        pytest.param("a\ud800b", id="lone surrogate"),
        pytest.param("a\udcffb", id="octet that was no UTF-8"),
        pytest.param("x" * 100_000, id="long"),
        pytest.param("\N{PILE OF POO}" * 10_000, id="long and wide"),
    ],
)
def test_text_that_a_database_refuses_is_made_clean(ledger: Ledger, text: str) -> None:
    odd = arrival(text, sender=text, recipients=(text,), folder=text, flags=frozenset({text}), message_id=text)
    answers = record(ledger, arrival("before"), odd, arrival("after"), mailbox="box")
    assert [isinstance(answer, Recorded) and answer.new for answer in answers] == [True, True, True]
    (again,) = record(ledger, odd)
    assert isinstance(again, Recorded)
    assert not again.new
    assert len(ledger.find(Query(message_id=text))) == 1


def test_keys_that_differ_only_in_octets_that_are_no_text_stay_different(ledger: Ledger) -> None:
    answers = record(
        ledger,
        arrival("a\udcfe"),
        arrival("a\udcff"),
        arrival("a\0"),
        arrival("y" * 999 + "1"),
        arrival("y" * 999 + "2"),
    )
    assert all(isinstance(answer, Recorded) and answer.new for answer in answers)


def test_a_value_that_no_database_holds_costs_only_its_own_message(ledger: Ledger) -> None:
    huge = Blob("20260301T000000.000000-0123456789abcdef", "ab" * 32, 2**70)
    cursor = Cursor(folder="INBOX", uidvalidity=1, next=4)
    batch = Batch(arrivals=(arrival("1"), arrival("2", huge), arrival("3")), cursor=cursor)
    first, second, third = ledger.record("box", batch)
    assert isinstance(first, Recorded)
    assert isinstance(second, Refused)
    assert isinstance(second.error, Permanent)
    assert isinstance(third, Recorded)
    assert {row.source_key for row in ledger.find(Query())} == {"1", "3"}
    assert ledger.cursor("box", "INBOX") is None


def test_the_cursor_moves_in_the_same_commit(ledger: Ledger) -> None:
    for after in (5, 9):
        cursor = Cursor(folder="INBOX", uidvalidity=7, next=after, reconciled_at=WHEN)
        ledger.record("box", Batch(arrivals=(arrival(str(after)),), cursor=cursor))
        assert ledger.cursor("box", "INBOX") == cursor
    assert ledger.cursor("box", "Sent") is None


def test_a_wanted_message_becomes_received_with_its_bytes_and_only_once(ledger: Ledger, clerk: Any) -> None:
    (wanted,) = record(ledger, arrival(content=None))
    number = clerk.recorded(wanted)
    assert clerk.state(number) == State.WANTED
    assert ledger.claim([number], clerk.lease) == ()
    (received,) = record(ledger, arrival(content=b"bytes"))
    (again,) = record(ledger, arrival(content=b"other"))
    assert isinstance(received, Recorded)
    assert isinstance(again, Recorded)
    assert (received.id, received.new, again.new) == (number, True, False)
    assert ledger.content(clerk.row(number)) == b"bytes"


def test_a_new_row_can_be_claimed_in_the_commit_that_makes_it(ledger: Ledger, clerk: Any) -> None:
    (answer,) = record(ledger, arrival(sender="s@example.com", flags=frozenset({"\\Seen"})), lease=clerk.lease)
    assert isinstance(answer, Recorded)
    assert answer.claim is not None
    assert answer.claim.row == clerk.row(answer.claim.id)
    assert ledger.claim([answer.claim.id], clerk.lease) == ()
    clerk.plan(answer.claim, clerk.effect("e"))


def test_a_known_row_is_claimed_with_its_stored_plan(ledger: Ledger, clerk: Any) -> None:
    claim = clerk.planned(clerk.effect("e"))
    clerk.report(claim, clerk.later("e"))
    (answer,) = record(ledger, arrival(), mailbox="stdin", lease=clerk.lease, resume_for=DAY)
    assert isinstance(answer, Recorded)
    assert answer.claim is not None
    assert answer.claim.row.plan == '{"plan": 1}'
    assert [effect.record.key for effect in answer.claim.effects] == ["e"]


def test_a_row_that_another_works_on_is_recorded_but_not_claimed(ledger: Ledger, clerk: Any) -> None:
    clerk.claim()
    (answer,) = record(ledger, arrival(), mailbox="stdin", lease=clerk.lease, resume_for=DAY)
    assert isinstance(answer, Recorded)
    assert (answer.new, answer.claim, answer.state) == (False, None, State.RECEIVED)


def test_an_offer_soon_after_the_end_finds_the_settled_row(ledger: Ledger, clerk: Any) -> None:
    number = clerk.settle()
    (answer,) = record(ledger, arrival(), mailbox="stdin", lease=clerk.lease, resume_for=DAY)
    assert isinstance(answer, Recorded)
    assert (answer.id, answer.new, answer.state, answer.claim) == (number, False, State.SETTLED, None)


def test_an_offer_long_after_the_end_begins_a_new_row_each_time(ledger: Ledger, clerk: Any) -> None:
    first = clerk.settle("key")
    rows = [first]
    for expected in ("key~2", "key~3"):
        (answer,) = record(ledger, arrival(), mailbox="stdin", lease=clerk.lease, resume_for=timedelta())
        assert isinstance(answer, Recorded)
        assert answer.claim is not None
        assert (answer.source_key, answer.new) == (expected, True)
        clerk.plan(answer.claim, clerk.effect(expected))
        clerk.report(answer.claim, clerk.done(expected), settle=True)
        rows.append(answer.claim.id)
    assert len(set(rows)) == 3


def test_an_unfinished_row_is_resumed_however_old_it_is(ledger: Ledger, clerk: Any) -> None:
    (number,) = clerk.receive("key")
    (answer,) = record(ledger, arrival(), mailbox="stdin", lease=clerk.lease, resume_for=timedelta())
    assert isinstance(answer, Recorded)
    assert answer.claim is not None
    assert answer.claim.id == number


def test_an_abandoned_row_that_is_offered_again_is_resumed(ledger: Ledger, clerk: Any) -> None:
    claim = clerk.planned(clerk.effect("a"), clerk.effect("b", 1))
    clerk.report(claim, clerk.done("a"), clerk.later("b"))
    assert ledger.abandon(["stdin"], older_than=timedelta()) == 1
    (answer,) = record(ledger, arrival(), mailbox="stdin", lease=clerk.lease, resume_for=timedelta())
    assert isinstance(answer, Recorded)
    assert answer.claim is not None
    assert answer.claim.id == claim.id
    assert clerk.state(claim.id) == State.PLANNED
    assert clerk.row(claim.id).finished_at is None


def test_an_identity_outlives_its_row_until_the_source_forgets_it(ledger: Ledger, clerk: Any) -> None:
    clerk.mailbox = "pop"
    clerk.settle("uidl")
    assert ledger.retain(Retention(settled=timedelta(), identities=frozenset({"pop"}))).rows == 1
    (answer,) = record(ledger, arrival("uidl"), mailbox="pop", lease=clerk.lease)
    assert isinstance(answer, Recorded)
    assert (answer.id, answer.new, answer.claim) == (None, False, None)
    assert ledger.forget("pop", ["uidl"]) == 1
    (answer,) = record(ledger, arrival("uidl"), mailbox="pop")
    assert isinstance(answer, Recorded)
    assert answer.new


def test_an_empty_batch_moves_only_the_cursor(ledger: Ledger) -> None:
    cursor = Cursor(folder="INBOX", uidvalidity=1, next=2)
    assert ledger.record("box", Batch(arrivals=(), cursor=cursor)) == ()
    assert ledger.cursor("box", "INBOX") == cursor


def test_a_wanted_message_is_not_claimed_before_its_bytes_are_there(ledger: Ledger, clerk: Any) -> None:
    (wanted,) = record(ledger, arrival(content=None), lease=clerk.lease)
    (received,) = record(ledger, arrival(content=b"bytes"), lease=clerk.lease)
    assert isinstance(wanted, Recorded)
    assert isinstance(received, Recorded)
    assert wanted.claim is None
    assert received.claim is not None
    assert received.claim.row == clerk.row(received.claim.id)
    clerk.plan(received.claim)
