"""The step `reply`: what its answers look like, and its options."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from postroom import steps, testing
from postroom.errors import Temporary
from postroom.pipeline.view import Envelope
from postroom.steps.reply import ReplyEffect
from unit.steps.answering import NOW, OPTIONS, answer, perform, planned, sent, tools


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


def test_it_names_its_server_and_is_recorded_before_it_starts() -> None:
    step = steps.step("reply").model_validate(OPTIONS)
    assert [(one.kind, one.name) for one in step.names()] == [("server", "relay")]
    made = planned()
    assert isinstance(made, ReplyEffect)
    assert (made.repeatable, made.delivers, made.target) == (False, False, "ann@example.org")
