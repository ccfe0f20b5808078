"""What of a message is its text, and what is attached."""

import pytest

from postroom.message import Message, parse

PDF = b"Content-Type: application/pdf\r\n\r\n%PDF-"
PLAIN = b"Content-Type: text/plain\r\n\r\nplain"
HTML = b"Content-Type: text/html\r\n\r\n<p>html</p>"


def multipart(subtype: bytes, *parts: bytes) -> bytes:
    boundary = b"=_%d" % sum(map(len, parts))
    opened = b"".join(b"\r\n--" + boundary + b"\r\n" + part for part in parts)
    return (
        b"Content-Type: multipart/"
        + subtype
        + b'; boundary="'
        + boundary
        + b'"\r\n'
        + opened
        + b"\r\n--"
        + boundary
        + b"--"
    )


def paths(message: Message) -> list[str]:
    return [part.path for part in message.attachments]


@pytest.mark.parametrize(
    ("raw", "text", "html", "attached"),
    [
        pytest.param(PLAIN, "plain", None, [], id="text"),
        pytest.param(HTML, None, "<p>html</p>", [], id="html"),
        pytest.param(PDF, None, None, ["1"], id="file-alone"),
        pytest.param(multipart(b"alternative", PLAIN, HTML), "plain", "<p>html</p>", [], id="alternative"),
        pytest.param(multipart(b"mixed", PLAIN, PDF), "plain", None, ["2"], id="with-file"),
        pytest.param(
            multipart(b"mixed", multipart(b"alternative", PLAIN, HTML), PDF), "plain", "<p>html</p>", ["2"], id="both"
        ),
        pytest.param(multipart(b"mixed", PLAIN, PDF, PLAIN), "plain\nplain", None, ["2"], id="text-below"),
        pytest.param(
            multipart(b"mixed", PLAIN, b"Content-Disposition: attachment\r\n" + PLAIN), "plain", None, ["2"], id="text-file"
        ),
        pytest.param(
            multipart(b"mixed", PLAIN, b'Content-Type: text/plain; name="a.txt"\r\n\r\nfile'), "plain", None, ["2"],
            id="named-text",
        ),
        pytest.param(
            multipart(b"mixed", b'Content-Type: text/plain; name="body.txt"\r\n\r\nplain'), "plain", None, [],
            id="named-text-first",
        ),
        pytest.param(
            multipart(b"related", HTML, b"Content-ID: <x>\r\nContent-Type: image/png\r\n\r\npng"),
            None, "<p>html</p>", [], id="picture-of-the-page",
        ),
        pytest.param(
            multipart(b"related", HTML, b'Content-ID: <x>\r\nContent-Type: image/png; name="a.png"\r\n\r\npng'),
            None, "<p>html</p>", ["2"], id="named-picture-of-the-page",
        ),
        pytest.param(multipart(b"related", HTML, PLAIN), None, "<p>html</p>", ["2"], id="text-of-the-page"),
        pytest.param(
            multipart(b"mixed", PLAIN, b"Content-Type: message/rfc822\r\n\r\n" + multipart(b"mixed", PLAIN, PDF)),
            "plain", None, ["2"], id="attached-message-is-one",
        ),
        pytest.param(multipart(b"alternative", PLAIN, b"Content-Type: text/calendar\r\n\r\nBEGIN"), "plain", None, ["2"],
            id="calendar"),
    ],
)  # fmt: skip
def test_the_body_is_told_from_attachments(raw: bytes, text: str | None, html: str | None, attached: list[str]) -> None:
    message = parse(raw)
    assert (message.text, message.html, paths(message)) == (text, html, attached)


@pytest.mark.parametrize(
    ("raw", "body"),
    [
        pytest.param(multipart(b"alternative", PLAIN, HTML), "plain", id="text-wins"),
        pytest.param(multipart(b"alternative", b"\r\n \r\n", HTML), "html", id="blank-text-does-not"),
        pytest.param(HTML, "html", id="html-alone"),
        pytest.param(PDF, "", id="none"),
    ],
)
def test_the_body_is_the_text_or_else_the_html_as_text(raw: bytes, body: str) -> None:
    assert parse(raw).body.strip() == body


def test_an_attachment_is_known_by_its_content_too() -> None:
    raw = multipart(b"mixed", PLAIN, b"Content-Type: image/png\r\n\r\n%PDF-1.7\n1 0 obj\n")
    (attachment,) = parse(raw).attachments
    assert (attachment.content_type, attachment.detected_type) == ("image/png", "application/pdf")
