"""The step `reply`: RFC 3834, RFC 5230 §4, SEMANTICS of automatic answers."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from postroom import steps, testing
from postroom.errors import Permanent, PostroomError, Temporary, Uncertain
from postroom.message import Message, parse
from postroom.pipeline.outcome import Effect, Note, Outcome, Receipt
from postroom.pipeline.outgoing import Mail, Reply
from postroom.pipeline.tools import Tools
from postroom.pipeline.view import Envelope
from postroom.steps.reply import ReplyEffect

OPTIONS = {"text": "I am away.", "server": "relay"}
NOW = testing.NOW


def tools(tmp_path: Path | None = None, **changes: Any) -> Tools:
    return testing.tools(tmp_path, **{"servers": {"relay": testing.Transport()}, **changes})


def planned(raw: bytes | None = None, context: Tools | None = None, /, *, view: Any = None, **options: Any) -> Outcome:
    step = steps.step("reply").model_validate({**OPTIONS, **options})
    [made] = step.plan(testing.view(raw, **(view or {})), context or tools())
    if isinstance(made, Effect):
        made = steps.effect(made.word).model_validate_json(made.model_dump_json())
    return made


def perform(made: Outcome, context: Tools, raw: bytes | None = None, **changes: Any) -> Receipt:
    assert isinstance(made, ReplyEffect), made
    return made.perform(testing.letter(raw, **changes), context)


def sent(context: Tools) -> list[Mail]:
    transport = context.servers["relay"]
    assert isinstance(transport, testing.Transport)
    return transport.sent


def answer(raw: bytes | None = None, context: Tools | None = None, **options: Any) -> Message:
    context = context or tools()
    perform(planned(raw, context, **options), context, raw)
    [mail] = sent(context)
    return parse(b"".join(mail.chunks))


def why(made: Outcome) -> str:
    assert isinstance(made, Note), made
    return made.text.removeprefix("not answered: ")


# What it looks like


def test_the_answer_goes_from_the_null_sender_to_the_return_path() -> None:
    context = tools()
    perform(planned(None, context), context)
    [mail] = sent(context)
    assert (mail.sender, mail.recipients, mail.key, mail.utf8) == ("", ("ann@example.org",), "A" * 26, False)


def test_the_answer_says_that_it_is_automatic_and_what_it_answers() -> None:
    raw = testing.message(headers={"References": "<a@x> <b@x>"}, message_id="<c@x>", subject="Buy now")
    made = answer(raw)
    fields = {name: made.headers.get(name) for name in ("From", "To", "Auto-Submitted", "In-Reply-To", "References")}
    assert fields == {
        "From": "bob@example.com",
        "To": "ann@example.org",
        "Auto-Submitted": "auto-replied",
        "In-Reply-To": "<c@x>",
        "References": "<a@x> <b@x> <c@x>",
    }
    assert made.message_id == f"<{'A' * 26}@test.example>"
    assert (made.date, made.text, made.html) == (NOW, "I am away.\n", None)


def test_the_subject_of_a_stranger_is_not_quoted_by_default() -> None:
    assert answer(testing.message(subject="subscribe list")).subject == "Automatic reply"
    quoted = answer(testing.message(subject="Hi"), subject="Away: {{ subject }}")
    assert quoted.subject == "Away: Hi"


def test_text_html_and_files_go_along(tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    (tmp_path / "files/map.png").write_bytes(b"\x89PNG")
    raw = testing.message(from_='"<b>Änn</b>" <ann@example.org>')
    made = answer(raw, tools(tmp_path), text="Dear {{ from.name }}", html="<p>{{ from.name }}", attach="map.png")
    assert made.text == "Dear <b>Änn</b>\n"
    assert made.html == "<p>&lt;b&gt;Änn&lt;/b&gt;\n"
    assert [(part.filename, part.content) for part in made.attachments] == [("map.png", b"\x89PNG")]


def test_a_file_that_is_missing_is_waited_for_and_nothing_is_remembered(tmp_path: Path) -> None:
    context = tools(tmp_path)
    with pytest.raises(Temporary, match=r"map\.png"):
        perform(planned(None, context, attach="map.png"), context)
    assert isinstance(planned(None, context, attach="map.png"), ReplyEffect)


@pytest.mark.parametrize("options", [{"from": "Bob <robert@example.com>"}, {"from": "robert@example.com"}], ids=repr)
def test_from_is_ours_where_it_is_said(options: dict[str, str]) -> None:
    assert answer(None, None, **options).from_[0].spec == "robert@example.com"


@pytest.mark.parametrize(
    "message_id", ["<a b@x>", "<a@x>\r\n Bcc: <evil@example.net>", "<" + "a" * 5000 + "@x>", "none", "<ü@x>", None], ids=repr
)  # fmt: skip
def test_an_id_that_is_none_is_not_repeated(message_id: str | None) -> None:
    made = answer(testing.message(message_id=message_id))
    assert all(one.isascii() and " " not in one and len(one) < 300 for one in made.in_reply_to)
    assert made.headers.get("Bcc") is None


def test_references_stay_few() -> None:
    references = " ".join(f"<{number}@x>" for number in range(1000))
    made = answer(testing.message(headers={"References": references}, message_id="<own@x>"))
    assert made.references[0] == "<0@x>"
    assert made.references[-2:] == ("<999@x>", "<own@x>")
    assert len(made.references) == 20


def test_an_internationalised_sender_is_answered_as_such() -> None:
    context = tools()
    view = {"envelope": Envelope(sender="änn@example.org", recipients=("bob@example.com",))}
    perform(planned(None, context, view=view), context)
    assert sent(context)[0].utf8


# Who gets none


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


# Once, not too late, not too many


def test_a_sender_gets_one_answer_in_the_time() -> None:
    now = NOW
    context = tools(memory=testing.Memory(clock=lambda: now))
    perform(planned(None, context, every="2d"), context)
    assert why(planned(None, context, every="2d")) == "its sender got an answer lately"
    now += timedelta(days=3)
    assert isinstance(planned(None, context, every="2d"), ReplyEffect)


def test_two_messages_planned_at_once_get_one_answer() -> None:
    context = tools()
    one, two = planned(None, context), planned(None, context)
    perform(one, context, key="a" * 26)
    assert perform(two, context, key="b" * 26).repeated
    assert len(sent(context)) == 1


def test_another_answer_and_another_sender_are_another_matter() -> None:
    context = tools()
    perform(planned(None, context), context)
    assert isinstance(planned(None, context, text="Another."), ReplyEffect)
    view = {"envelope": Envelope(sender="eve@example.org", recipients=("bob@example.com",))}
    assert isinstance(planned(None, context, view=view), ReplyEffect)


def test_the_memory_holds_no_address() -> None:
    memory = testing.Memory()
    context = tools(memory=memory)
    perform(planned(None, context), context)
    assert "ann" not in repr(memory.entries)


def test_no_more_than_so_many_answers_go_within_an_hour_over_all() -> None:
    now = NOW
    context = tools(memory=testing.Memory(clock=lambda: now))
    for number in range(5):
        view = {"envelope": Envelope(sender=f"u{number}@example.org", recipients=("bob@example.com",))}
        perform(planned(None, context, view=view, **{"per-hour": 3}), context, key=f"{number}" * 26)
    assert len(sent(context)) == 3
    now += timedelta(hours=1, seconds=1)
    view = {"envelope": Envelope(sender="late@example.org", recipients=("bob@example.com",))}
    perform(planned(None, context, view=view, **{"per-hour": 3}), context, key="z" * 26)
    assert len(sent(context)) == 4


def test_an_answer_expires_after_a_day() -> None:
    late = NOW + timedelta(days=1, seconds=1)
    assert why(planned(None, view={"now": late})) == "it came more than a day ago"
    context = tools(clock=lambda: late)
    assert perform(planned(), context).detail == "not answered: it came more than a day ago"
    assert sent(context) == []


def test_old_mail_that_a_mailbox_held_gets_no_answer() -> None:
    raw = testing.message(date=NOW - timedelta(days=8))
    assert why(planned(raw)) == "it says that it is more than a week old"


@pytest.mark.parametrize(
    ("reply", "error"), [(Reply(code=450), Temporary), (Reply(code=550), Permanent), (Reply(code=0), Uncertain)]
)
def test_the_servers_answer_decides(reply: Reply, error: type[PostroomError]) -> None:
    transport = testing.Transport(replies={"ann@example.org": reply})
    context = tools(servers={"relay": transport})
    with pytest.raises(error):
        perform(planned(None, context), context)
    transport.replies.clear()
    again = perform(planned(), context, uncertain=error is Uncertain)
    # What may have gone out is not sent again.
    assert again.repeated == (error is Uncertain)
    assert len(transport.sent) == (1 if error is Uncertain else 2)


# Loops


def test_a_vacation_against_a_vacation_stops() -> None:
    """Two sites that answer each other: one answer goes out, and the other says why it sends none."""
    told = ""
    at, raw, envelope = 0, testing.message(), Envelope(sender="ann@example.org", recipients=("bob@example.com",))
    sites = [tools(), tools()]
    for _ in range(10):
        made = planned(raw, sites[at], view={"envelope": envelope})
        if isinstance(made, Note):
            told = made.text
            break
        perform(made, sites[at], raw, envelope=envelope)
        [*_, mail] = sent(sites[at])
        raw, at = b"".join(mail.chunks), 1 - at
        envelope = Envelope(sender=mail.sender, recipients=mail.recipients)
    assert told == "not answered: its sender is <>"
    assert [len(sent(site)) for site in sites] == [1, 0]


def test_a_robot_that_hides_what_it_is_gets_one_answer() -> None:
    """It answers from an address, as a person would, whenever it is answered."""
    context, rounds = tools(), 0
    while isinstance(made := planned(testing.message(message_id=f"<{rounds}@x>"), context), ReplyEffect):
        perform(made, context, key=f"{rounds:026}")
        rounds += 1
        assert rounds < 10
    assert rounds == 1


# Options


@pytest.mark.parametrize(
    "options",
    [
        {"text": None}, {"from": "nobody"}, {"from": "a@example.org\r\nBcc: b@example.org"}, {"every": "0s"}, {"every": "1m"},
        {"per-hour": 0}, {"per-hour": 100000}, {"addresses": "bob"}, {"subject": "a\nb"}, {"attach": ""},
    ],
    ids=repr,
)  # fmt: skip
def test_an_option_that_cannot_be_is_an_error_of_check(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        steps.step("reply").model_validate({**OPTIONS, **options})


def test_a_stranger_can_add_no_header() -> None:
    raw = testing.message(subject="x\r\nBcc: evil@example.net\r\n\r\nbody", from_='"a\r\nBcc: b@c.d" <ann@example.org>')
    made = answer(raw, subject="{{ subject }} {{ from.name }}")
    assert made.headers.get("Bcc") is None


def test_it_names_its_server_and_is_recorded_before_it_starts() -> None:
    step = steps.step("reply").model_validate(OPTIONS)
    assert [(one.kind, one.name) for one in step.names()] == [("server", "relay")]
    made = planned()
    assert isinstance(made, ReplyEffect)
    assert (made.repeatable, made.delivers, made.target) == (False, False, "ann@example.org")
