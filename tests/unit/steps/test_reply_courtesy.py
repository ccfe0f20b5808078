"""The step `reply`: who gets no answer (RFC 3834 2, RFC 5230 4.5 and 4.6)."""

from typing import Any

import pytest

from postroom import testing
from postroom.pipeline.view import Envelope
from postroom.steps.reply import ReplyEffect
from unit.steps.answering import planned, tools, why

HEADERS: list[dict[str, str]] = [
    {"Auto-Submitted": "auto-replied"}, {"Auto-Submitted": "auto-generated; x=y"}, {"Auto-Submitted": "AUTO-NOTIFIED"},
    {"Precedence": "bulk"}, {"Precedence": "List"}, {"Precedence": "junk"}, {"List-Id": "<x.example.org>"},
    {"List-Unsubscribe": "<mailto:x@example.org>"}, {"List-Help": "x"}, {"List-Unsubscribe-Post": "x"},
    {"X-Auto-Response-Suppress": "All"}, {"X-Auto-Response-Suppress": "DR, OOF"},
    {"X-Auto-Response-Suppress": "autoreply"}, {"X-Autoreply": "yes"}, {"X-Autorespond": "x"},
    {"Content-Type": "multipart/report; report-type=delivery-status; boundary=x"},
    {"Content-Type": "multipart/report; report-type=disposition-notification; boundary=x"}, {"Return-Path": "<>"},
]  # fmt: skip


@pytest.mark.parametrize("headers", HEADERS, ids=repr)
def test_programs_lists_and_reports_get_no_answer(headers: dict[str, str]) -> None:
    assert why(planned(testing.message(headers=headers)))


@pytest.mark.parametrize(
    "headers", [{"Auto-Submitted": "no"}, {"Precedence": "first-class"}, {"X-Auto-Response-Suppress": "DR"}], ids=repr
)
def test_people_get_an_answer(headers: dict[str, str]) -> None:
    assert isinstance(planned(testing.message(headers=headers)), ReplyEffect)


ROBOTS = [
    "MAILER-DAEMON", "mailer-daemon", "LISTSERV", "majordomo", "owner-list", "list-owner", "list-request", "noreply",
    "no-reply", "do-not-reply", "donotreply", "no_reply", "bounces+ann=example.org", "list-bounces", "bounce-12", "root",
]  # fmt: skip


@pytest.mark.parametrize("local", ROBOTS)
def test_a_sender_that_is_a_program_by_its_name_gets_no_answer(local: str) -> None:
    view = {"envelope": Envelope(sender=f"{local}@example.org", recipients=("bob@example.com",))}
    assert why(planned(None, view=view)) == "its sender is a program, by its name"
    assert why(planned(testing.message(from_=f"{local}@example.org"))) == "its sender is a program, by its name"


@pytest.mark.parametrize(
    "local", ["ann", "bob.owner", "requester", "reply", "norah", "autumn", "ownership", "returns.desk"]
)
def test_a_person_by_the_name_gets_an_answer(local: str) -> None:
    view = {"envelope": Envelope(sender=f"{local}@example.org", recipients=("bob@example.com",))}
    assert isinstance(planned(None, view=view), ReplyEffect)


@pytest.mark.parametrize(
    "sender",
    ["", None, "root", "a b@example.org", "<ann@example.org>", "ann@example.org\r\nRCPT TO:<x@example.net>", "a@b@c",
     "ann@example.org,eve@example.net", "x" * 65 + "@example.org", "@example.org", "ann@"],
    ids=repr,
)  # fmt: skip
def test_a_sender_that_is_no_address_gets_no_answer(sender: str | None) -> None:
    assert why(planned(None, view={"envelope": Envelope(sender=sender, recipients=("bob@example.com",))}))


def test_return_path_is_the_sender_where_the_envelope_is_not_known() -> None:
    view = {"envelope": Envelope(sender=None)}
    context = tools(addresses={"test": ("bob@example.com",)})
    made = planned(testing.message(headers={"Return-Path": "<eve@example.net>"}), context, view=view)
    assert isinstance(made, ReplyEffect)
    assert made.to == "eve@example.net"


@pytest.mark.parametrize("sender", ["bob@example.com", "BOB@EXAMPLE.COM", "help@example.com"])
def test_mail_from_ourselves_gets_no_answer(sender: str) -> None:
    context = tools(addresses={"test": ("help@example.com",)})
    view = {"envelope": Envelope(sender=sender, recipients=("bob@example.com",))}
    assert why(planned(None, context, view=view)) == "it comes from an address of ours"


@pytest.mark.parametrize(
    ("message", "answered"),
    [
        ({"to": "bob@example.com"}, True), ({"to": "Bob <BOB@Example.com>"}, True), ({"to": None, "cc": "bob@example.com"}, True),
        ({"to": None, "headers": {"Bcc": "bob@example.com"}}, True), ({"headers": {"To": "x@y.z", "Resent-To": "bob@example.com"}}, True),
        ({"to": "all@example.com"}, False), ({"to": None}, False), ({"to": "bob@example.com.evil.test"}, False),
        ({"to": '"bob@example.com" <all@example.com>'}, False),
    ],
    ids=repr,
)  # fmt: skip
def test_only_mail_that_names_us_gets_an_answer(message: dict[str, Any], answered: bool) -> None:
    made = planned(testing.message(**message))
    assert isinstance(made, ReplyEffect) if answered else why(made) == "it is not addressed to us"


def test_addresses_of_the_step_and_of_the_mailbox_are_ours() -> None:
    raw = testing.message(to="help@example.com")
    assert isinstance(planned(raw, tools(addresses={"test": ("help@example.com",)})), ReplyEffect)
    assert isinstance(planned(raw, addresses="Help <help@example.com>"), ReplyEffect)
    assert why(planned(raw, view={"envelope": Envelope(sender="ann@example.org")})).startswith("it is not known")
