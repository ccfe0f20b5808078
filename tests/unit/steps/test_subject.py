from email import message_from_bytes
from email.header import decode_header, make_header
from typing import Any

import pytest
from pydantic import ValidationError

from postroom import steps, testing
from postroom.message import edited, parse
from postroom.pipeline.outcome import Edited


def after(subject: str | None, raw: bytes | None = None, **options: Any) -> bytes:
    """The message with the step's edits."""
    raw = testing.message(subject=subject) if raw is None else raw
    step = steps.step("subject").model_validate(options)
    outcomes = [*step.plan(testing.view(raw), testing.tools())]
    return b"".join(edited(raw, [outcome.edit for outcome in outcomes if isinstance(outcome, Edited)]))


@pytest.mark.parametrize(
    ("subject", "options", "expected"),
    [
        pytest.param("Hello", {"set": "Bye"}, "Bye", id="set"),
        pytest.param("Hello", {"set": "{{ subject }} ({{ from.domain }})"}, "Hello (example.org)", id="template"),
        pytest.param("Hello", {"prefix": "[dev]"}, "[dev] Hello", id="prefix"),
        pytest.param("Hello", {"prefix": "[dev] "}, "[dev] Hello", id="one space, however it is written"),
        pytest.param("Hello", {"suffix": "(ext)"}, "Hello (ext)", id="suffix"),
        pytest.param("Hello", {"prefix": "[a]", "suffix": "[b]"}, "[a] Hello [b]", id="both"),
        pytest.param("", {"prefix": "[dev]"}, "[dev]", id="empty subject"),
        pytest.param(None, {"prefix": "[dev]"}, "[dev]", id="no subject"),
        pytest.param("Grüße", {"prefix": "[über]"}, "[über] Grüße", id="not ASCII"),
    ],
)
def test_the_subject_is_set_or_marked(subject: str | None, options: dict[str, Any], expected: str) -> None:
    made = after(subject, **options)
    assert parse(made).subject == expected
    told = message_from_bytes(made)["Subject"]
    assert str(make_header(decode_header(told))).replace("\r\n", "") == expected  # as another parser reads it


@pytest.mark.parametrize(
    ("subject", "options"),
    [
        pytest.param("[dev] Hello", {"prefix": "[dev]"}, id="prefix"),
        pytest.param("[dev]Hello", {"prefix": "[dev]"}, id="prefix without a space"),
        pytest.param("Re: [dev] Hello", {"prefix": "[dev]"}, id="behind Re"),
        pytest.param("AW: Re[2]: [dev] Hello", {"prefix": "[dev]"}, id="behind several"),
        pytest.param("Hello (ext)", {"suffix": "(ext)"}, id="suffix"),
        pytest.param("[über] x", {"prefix": "[u\u0308ber]"}, id="composed another way"),
        pytest.param("[dev] Hello", {"set": "[dev] {{ subject }}"}, id="set to itself with the mark"),
        pytest.param("Hello", {"set": "Hello"}, id="set to what it is"),
    ],
)
def test_what_is_there_is_not_added_twice(subject: str, options: dict[str, Any]) -> None:
    assert after(subject, **options) == testing.message(subject=subject)


def test_a_prefix_in_an_encoded_subject_is_seen() -> None:
    raw = b"Subject: =?iso-8859-1?q?[=FCber]?= =?utf-8?b?IEhlbGxv?=\r\n\r\nHi\r\n"
    assert after(None, raw, prefix="[über]") == raw


def test_marking_twice_marks_once() -> None:
    once = after("Grüße", prefix="[ü]", suffix="(ß)")
    assert after(None, once, prefix="[ü]", suffix="(ß)") == once


def test_a_long_subject_is_folded_and_every_other_octet_stays() -> None:
    raw = b"X-Odd:  \t  two\t spaces \r\nSubject: x\r\nTo: a@b.example\r\n\r\n\x00\xff body\r\n"
    made = after(None, raw, set="word " * 60)
    assert max(map(len, made.split(b"\r\n"))) <= 78
    assert made.startswith(b"X-Odd:  \t  two\t spaces \r\n")
    assert made.endswith(b"\r\nTo: a@b.example\r\n\r\n\x00\xff body\r\n")


@pytest.mark.parametrize(
    "subject",
    [
        "=?utf-8?b?YQ0KQmNjOiB4QGV2aWwuZXhhbXBsZQ==?=",
        "=?utf-8?q?a=0ABcc:_x@evil.example?=",
        "=?utf-8?q?a=0DBcc:_x@evil.example?=",
        "=?utf-8?q?a=E2=80=A8Bcc:_x@evil.example?=",
        "=?utf-8?q?a=C2=85Bcc:_x@evil.example?=",
    ],
    ids=["CRLF", "LF", "CR", "line separator", "next line"],
)
def test_a_senders_line_break_makes_no_header(subject: str) -> None:
    made = after(subject, suffix="(from {{ subject }})")
    assert parse(made).bcc == ()
    assert message_from_bytes(made)["Bcc"] is None
    assert len(message_from_bytes(made).keys()) == len(message_from_bytes(testing.message()).keys())


@pytest.mark.parametrize(
    "options",
    [{}, {"set": "a", "prefix": "b"}, {"set": "a\r\nBcc: x"}, {"set": "{{ nobody }}"}, {"before": "x"}],
    ids=["nothing", "set and prefix", "line break", "unknown name", "unknown option"],
)
def test_wrong_options_are_refused_when_the_file_is_read(options: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        steps.step("subject").model_validate(options)
