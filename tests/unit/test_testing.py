from datetime import timedelta
from email import message_from_bytes, policy
from typing import Any

import pytest

from postroom import testing
from postroom.errors import Permanent, Temporary
from postroom.message import parse
from postroom.pipeline.tools import Reservation
from postroom.testing import Attachment, Failures, Memory

DAY = timedelta(days=1)


def test_a_built_message_is_without_defects_for_us_and_for_others() -> None:
    raw = testing.message(
        from_="Jörg <joerg@example.org>",
        to=["a@b.example", "c@d.example"],
        cc="e@f.example",
        subject="Grüße, " * 30 + "Ann",
        html="<p>Hällo</p>",
        attachments=["invoice.pdf", Attachment("räk.bin", content=bytes(range(256)))],
    )
    ours, theirs = parse(raw), message_from_bytes(raw, policy=policy.SMTPUTF8)
    assert ours.defects == ()
    assert ours.subject == str(theirs["Subject"]) == "Grüße, " * 30 + "Ann"
    assert [address.spec for address in ours.to] == ["a@b.example", "c@d.example"]
    assert ours.from_[0].name == "Jörg"
    assert [part.filename for part in ours.attachments] == ["invoice.pdf", "räk.bin"]
    assert ours.attachments[1].content == bytes(range(256))


def test_the_same_arguments_make_the_same_bytes() -> None:
    made = [testing.message(html="<p>x</p>", attachments=["a.pdf"]) for _ in range(2)]
    assert made[0] == made[1]


@pytest.mark.parametrize("name", ["from_", "to", "subject", "date", "message_id"])
def test_none_leaves_a_field_out(name: str) -> None:
    options: dict[str, Any] = {name: None}
    assert name.rstrip("_").replace("_", "-").encode() + b":" not in testing.message(**options).lower()


def test_headers_stand_on_top_and_in_place_of_made_ones() -> None:
    raw = testing.message(headers={"Received": ["from a", "from b"], "subject": "Mine"})
    assert raw.startswith(b"Received: from a\r\nReceived: from b\r\nsubject: Mine\r\n")
    assert raw.lower().count(b"subject:") == 1


@pytest.mark.parametrize(
    ("name", "kind"),
    [("a.pdf", "application/pdf"), ("a.png", "image/png"), ("a.zip", "application/zip"), ("a.jpg", "image/jpeg")],
)
def test_a_made_attachment_looks_like_its_type(name: str, kind: str) -> None:
    [part] = parse(testing.message(attachments=[name])).attachments
    assert (part.content_type, part.detected_type) == (kind, kind)


@pytest.mark.parametrize("size", [0, 1, 10, 5000])
def test_an_attachment_has_the_size_that_was_asked(size: int) -> None:
    [part] = parse(testing.message(attachments=[Attachment("a.pdf", size=size)])).attachments
    assert part.size == size


def test_a_fake_fails_at_the_calls_that_it_was_told() -> None:
    memory = Memory(failures=Failures({2}))
    memory.recall("s", "k")
    with pytest.raises(Temporary):
        memory.reserve("s", "k", "one", DAY)
    memory.remember("s", "k", "one", DAY)
    assert memory.failures.calls == 3


def test_a_fake_fails_with_the_error_that_it_was_given() -> None:
    memory = Memory(failures=Failures(range(1, 100), error=lambda: Permanent("full")))
    for _ in range(3):
        with pytest.raises(Permanent, match="full"):
            memory.remember("s", "k", "one", DAY)
    assert memory.entries == {}


def test_a_memory_is_held_by_one_and_known_to_all_once_remembered() -> None:
    memory = Memory()
    assert memory.reserve("s", "k", "one", DAY) == Reservation.FREE
    assert memory.reserve("s", "k", "one", DAY) == Reservation.FREE
    assert memory.reserve("s", "k", "two", DAY) == Reservation.HELD
    assert not memory.remember("s", "k", "two", DAY)
    assert not memory.recall("s", "k")
    assert memory.remember("s", "k", "one", DAY)
    assert memory.reserve("s", "k", "two", DAY) == Reservation.KNOWN
    assert memory.reserve("s", "k", "one", DAY) == Reservation.FREE
    assert memory.reserve("other", "k", "two", DAY) == Reservation.FREE


def test_what_is_released_is_free_and_what_is_remembered_stays() -> None:
    memory = Memory()
    memory.reserve("s", "a", "one", DAY)
    memory.remember("s", "b", "one", DAY)
    memory.release("one")
    assert memory.reserve("s", "a", "two", DAY) == Reservation.FREE
    assert memory.reserve("s", "b", "two", DAY) == Reservation.KNOWN


def test_views_tools_and_letters_take_any_of_their_fields() -> None:
    view = testing.view(mailbox="m", folder="f")
    assert (view.mailbox, view.folder, view.message.subject) == ("m", "f", "Hello")
    assert testing.tools(host="h").host == "h"
    assert testing.letter(b"x: y\r\n\r\n", mailbox="m").message.headers.get("x") == "y"
