from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest

from postroom.message import parse
from postroom.message.compose import Enclosure, compose

FIELDS = [("From", "Ann <ann@example.org>"), ("Subject", "Grüße")]


def read(raw: bytes) -> EmailMessage:
    message = message_from_bytes(raw, policy=policy.default)
    assert isinstance(message, EmailMessage)
    assert message.defects == []
    return message


def test_a_plain_text_is_these_octets() -> None:
    assert compose(FIELDS, boundary="k", text="I am away.\n\nAnn\n") == (
        b"From: Ann <ann@example.org>\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nMIME-Version: 1.0\r\n"
        b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 7bit\r\n\r\nI am away.\r\n\r\nAnn\r\n"
    )


@pytest.mark.parametrize(
    "text",
    ["Grüße ß €\n", "x" * 5000, "a \nb\t\nc", "--=_k_a--\n", "=_k_m", "a\rb\r\nc\n", "", ".\n..\n", "\ud800", "=3D=\n", "From me\n"],
    ids=repr,
)  # fmt: skip
def test_any_text_comes_back_in_short_lines_of_ascii(text: str) -> None:
    raw = compose(FIELDS, boundary="k", text=text, html=f"<p>{text}")
    assert raw.isascii()
    assert b"\n" not in raw.replace(b"\r\n", b"")
    assert b"\r" not in raw.replace(b"\r\n", b"")
    assert max(map(len, raw.split(b"\r\n"))) <= 78
    expected = text.replace("\r\n", "\n").replace("\r", "\n").rstrip("\n").replace("\ud800", "?") + "\n"
    assert parse(raw).text == expected
    assert parse(raw).html == f"<p>{expected}"
    alternatives = list(read(raw).iter_parts())
    assert [part.get_content_type() for part in alternatives] == ["text/plain", "text/html"]


@pytest.mark.parametrize("name", ["a.pdf", 'q"\\.pdf', "Grüße.pdf", "a b.pdf"])
def test_an_attachment_keeps_name_and_octets(name: str) -> None:
    content = bytes(range(256)) * 40 + b"\r\n--=_k_m--\r\n"
    raw = compose(FIELDS, boundary="k", text="x", enclosures=[Enclosure(name, "application/pdf", content)])
    body, attached = read(raw).iter_parts()
    assert body.get_content() == "x\r\n"
    assert (attached.get_filename(), attached.get_content_type()) == (name, "application/pdf")
    assert attached.get_content() == content


def test_a_field_cannot_be_broken() -> None:
    raw = compose([("Subject", "a\r\nBcc: evil@example.net\r\n\r\nbody")], boundary="k", text="x")
    assert list(read(raw)) == ["Subject", "MIME-Version", "Content-Type", "Content-Transfer-Encoding"]
