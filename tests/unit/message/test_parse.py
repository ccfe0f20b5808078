"""Each malformation that real and hostile mail holds, as it is read; and the limits."""

import mmap
import tempfile

import pytest
from pydantic import ValidationError

from postroom.message import Defect, Limits, Message, Part, parse

TEXT = b"Content-Type: text/plain; charset=utf-8\r\n\r\n"


def mixed(*lines: bytes, boundary: bytes = b"b", kind: bytes = b"mixed") -> bytes:
    header = b'Content-Type: multipart/%s; boundary="%s"' % (kind, boundary)
    return b"\r\n".join((header, b"", *lines, b""))


def tree(message: Message) -> list[tuple[str, str]]:
    return [(part.path, part.content_type) for part in message.parts]


def contents(message: Message) -> list[bytes]:
    return [part.content for part in message.parts if not part.is_multipart and not part.node.is_message]


def only(raw: bytes) -> Part:
    (part,) = parse(raw).parts
    return part


def test_nested_messages_are_numbered_as_imap_does() -> None:
    inner = b"Subject: inner\r\n" + mixed(b"--c", b"", b"one", b"--c", b"", b"two", b"--c--", boundary=b"c")
    message = parse(mixed(b"--b", b"", b"hello", b"--b", b"Content-Type: message/rfc822", b"", inner, b"--b--"))
    assert tree(message) == [
        ("TEXT", "multipart/mixed"),
        ("1", "text/plain"),
        ("2", "message/rfc822"),
        ("2.TEXT", "multipart/mixed"),
        ("2.1", "text/plain"),
        ("2.2", "text/plain"),
    ]
    assert [part.parent for part in message.parts] == [None, 0, 0, 2, 3, 3]
    assert (message.text, message.defects) == ("hello", ())
    assert [part.path for part in message.attachments] == ["2"]


def test_a_message_encoded_as_base64_is_opened() -> None:
    header = b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    message = parse(header + b"U3ViamVjdDogeA0KDQpkZWVwDQo=\r\n")
    assert tree(message) == [("1", "message/rfc822"), ("1.1", "text/plain")]
    outer, inner = message.parts
    assert (inner.parent, inner.within) == (0, 0)
    assert inner.content == b"deep\r\n"
    assert inner.headers.get("subject") == "x"
    assert outer.content == b"Subject: x\r\n\r\ndeep\r\n"


def test_parts_of_a_digest_are_messages_where_they_do_not_say_otherwise() -> None:
    message = parse(mixed(b"--b", b"", b"Subject: x", b"", b"deep", b"--b--", kind=b"digest"))
    assert [part.content_type for part in message.parts] == ["multipart/digest", "message/rfc822", "text/plain"]
    assert message.parts[2].headers.get("subject") == "x"
    assert message.parts[2].content == b"deep"


def test_a_multipart_without_delimiters_shows_its_body() -> None:
    message = parse(mixed(b"all of it"))
    assert (contents(message), message.text) == ([b"all of it\r\n"], "all of it\n")
    assert message.defects == (Defect.NO_DELIMITER,)


def test_a_multipart_without_a_boundary_shows_its_body() -> None:
    message = parse(b"Content-Type: multipart/mixed\r\n\r\n--b\r\n\r\nhello\r\n")
    assert contents(message) == [b"--b\r\n\r\nhello\r\n"]
    assert message.defects == (Defect.NO_BOUNDARY,)


def test_a_multipart_that_is_not_closed_ends_with_the_message() -> None:
    message = parse(mixed(b"--b", b"", b"one", b"--b", b"", b"two"))
    assert contents(message) == [b"one", b"two\r\n"]
    assert message.defects == (Defect.NO_CLOSING_DELIMITER,)


def test_an_inner_multipart_that_is_not_closed_ends_with_the_outer_part() -> None:
    inner = mixed(b"--c", b"", b"deep", boundary=b"c").removesuffix(b"\r\n")
    message = parse(mixed(b"--b", inner, b"--b", b"", b"outer", b"--b--"))
    assert contents(message) == [b"deep", b"outer"]
    assert [part.parent for part in message.parts] == [None, 0, 1, 0]


@pytest.mark.parametrize("line", [b"--bb", b"--bx--", b"--b1--", b"-- b", b"--B", b" --b", b"x--b"])
def test_a_boundary_that_prefixes_another_is_not_taken_for_it(line: bytes) -> None:
    message = parse(mixed(b"--b", b"", b"one", line, b"two", b"--b--"))
    assert contents(message) == [b"one\r\n" + line + b"\r\ntwo"]


@pytest.mark.parametrize("outer", [b"b", b"bb", b"b--"])
def test_nested_boundaries_may_prefix_each_other(outer: bytes) -> None:
    inner_boundary = {b"b": b"bb", b"bb": b"b", b"b--": b"b"}[outer]
    inner = mixed(b"--" + inner_boundary, b"", b"deep", b"--" + inner_boundary + b"--x", boundary=inner_boundary)
    message = parse(mixed(b"--" + outer, inner, b"--" + outer, b"", b"last", b"--" + outer + b"--", boundary=outer))
    assert contents(message)[-1] == b"last"
    assert message.parts[-1].parent == 0


def test_equal_nested_boundaries_count_for_the_outer_multipart() -> None:
    inner = mixed(b"--b", b"", b"one", b"--b--")
    message = parse(mixed(b"--b", inner, b"--b", b"", b"two", b"--b--"))
    assert Defect.REPEATED_BOUNDARY in message.defects
    assert [part.content for part in message.parts if part.content.strip()][-2:] == [b"one", b"two"]
    assert [part.parent for part in message.parts if part.content in (b"one", b"two")] == [0, 0]


@pytest.mark.parametrize("after", [b" ", b"\t", b"  \t "])
def test_blanks_after_a_delimiter_do_not_count(after: bytes) -> None:
    message = parse(mixed(b"--b" + after, b"", b"one", b"--b--" + after))
    assert (contents(message), message.defects) == ([b"one"], ())


def test_a_part_after_the_closing_delimiter_is_found() -> None:
    message = parse(mixed(b"--b", b"", b"one", b"--b--", b"--b", b"", b"two", b"--b--"))
    assert contents(message) == [b"one", b"two"]
    assert Defect.PART_AFTER_CLOSE in message.defects


def test_text_after_the_closing_delimiter_belongs_to_no_part() -> None:
    raw = mixed(b"--b", b"", b"one", b"--b--", b"epilogue")
    message = parse(raw)
    assert (contents(message), message.text, message.defects) == ([b"one"], "one", ())
    assert bytes(message.raw).endswith(b"epilogue\r\n")


def test_a_part_may_have_no_header() -> None:
    message = parse(mixed(b"--b", b"", b"one", b"--b", b"two", b"--b--"))
    assert contents(message) == [b"one", b"two"]
    assert message.defects == (Defect.NO_HEADER_END,)


def test_a_delimiter_ends_the_header_of_a_part() -> None:
    message = parse(mixed(b"--b", b"Content-Type: text/html", b"--b", b"", b"two", b"--b--"))
    assert contents(message) == [b"", b"two"]
    assert message.parts[1].content_type == "text/html"


def test_what_ends_a_header_early_hides_no_part_behind_it() -> None:
    inner = (b"Content-Type: multipart/mixed; boundary=c", b"rubbish", b"--c", b"X: y", b"--c--")
    message = parse(mixed(b"--b", *inner, b"--b", b"", b"two", b"--b--"))
    assert [part.path for part in message.parts] == ["TEXT", "1", "1.1", "2"]
    assert message.parts[2].headers.get("x") == "y"
    assert contents(message) == [b"", b"two"]


RAW = mixed(b"--b", b"X: y", b"", b"one", b"two", b"--b", b"", b"three", b"--b--")


@pytest.mark.parametrize("end", [b"\n", b"\r"], ids=["lf", "cr"])
def test_line_ends_without_their_other_half_are_line_ends(end: bytes) -> None:
    message = parse(RAW.replace(b"\r\n", end))
    assert contents(message) == [b"one%stwo" % end, b"three"]
    assert message.text == "one\ntwo\nthree"
    assert message.parts[1].headers.get("x") == "y"
    assert (Defect.BARE_CR in message.defects) == (end == b"\r")


@pytest.mark.parametrize("first", range(8))
def test_line_ends_may_be_mixed(first: int) -> None:
    ends = (b"\r\n", b"\n", b"\r\n", b"\n", b"\n", b"\r\n", b"\r\n", b"\n")
    lines = RAW.split(b"\r\n")
    raw = b"".join(line + ends[(number + first) % 8] for number, line in enumerate(lines))
    message = parse(raw)
    assert contents(message) == [b"one%stwo" % ends[(5 + first) % 8], b"three"]


def test_bare_cr_in_a_body_stays() -> None:
    part = only(b"A: b\r\n\r\none\rtwo\r\r\n")
    assert (part.content, part.text, part.defects) == (b"one\rtwo\r\r\n", "one\ntwo\n\n", ())


@pytest.mark.parametrize(
    ("before", "defect"),
    [
        pytest.param(b"\r\n", Defect.LEADING_LINES, id="blank-line"),
        pytest.param(b"\n\n \n", Defect.LEADING_LINES, id="blank-lines"),
        pytest.param(b"From a@b Mon Jan  1 00:00:00 2024\n", Defect.LEADING_LINES, id="from-line"),
        pytest.param(b">From a@b Mon Jan  1 00:00:00 2024\r\n", Defect.LEADING_LINES, id="quoted-from-line"),
        pytest.param(b" \t", Defect.FOLDED_FIRST_LINE, id="folded"),
    ],
)
def test_what_stands_before_the_first_field_is_passed_over(before: bytes, defect: Defect) -> None:
    raw = before + b"Subject: x\r\nX: y\r\n\r\nbody"
    message = parse(raw)
    assert (message.subject, message.headers.get("x"), message.text) == ("x", "y", "body")
    assert (message.header_start, message.defects) == (len(before), (defect,))
    assert message.raw == raw


def test_a_line_without_a_colon_between_fields_is_skipped() -> None:
    message = parse(b"Subject: x\r\nrubbish\r\nX: y\r\n\r\nbody")
    assert (message.headers.get("x"), message.text) == ("y", "body")
    assert message.defects == (Defect.JUNK_IN_HEADER,)


def test_a_header_without_a_blank_line_ends_with_its_last_field() -> None:
    message = parse(b"Subject: x\r\nFrom: a@b\r\nbody begins\r\nhere")
    assert (message.subject, message.text) == ("x", "body begins\nhere")
    assert message.defects == (Defect.NO_HEADER_END,)


def test_what_has_no_field_at_all_is_body() -> None:
    message = parse(b"no field\r\n\r\nat all")
    assert (len(message.headers), message.text) == (0, "no field\n\nat all")


@pytest.mark.parametrize("raw", [b"", b"\r\n", b"\n", b"\r", b"\0", b":", b"--", b" ", b"From ", b"a:"])
def test_next_to_nothing_is_a_message(raw: bytes) -> None:
    message = parse(raw)
    assert (len(message.parts), message.raw, message.subject, message.truncated) == (1, raw, None, False)


def test_nul_bytes_are_shown_as_blanks_in_headers_and_kept_in_contents() -> None:
    message = parse(b"Subject: a\0b\r\n\r\nbo\0dy")
    assert (message.subject, message.parts[0].content) == ("a b", b"bo\0dy")
    assert message.defects == (Defect.NUL_IN_HEADER,)


def test_field_names_may_be_followed_by_blanks_as_in_obsolete_syntax() -> None:
    assert parse(b"Subject \t: x\r\n\r\n").subject == "x"


def test_a_field_that_may_stand_once_only_is_noted_where_it_is_repeated() -> None:
    message = parse(b"Subject: one\r\nsubject: two\r\n\r\n")
    assert (message.subject, message.headers.get_all("SUBJECT")) == ("one", ("one", "two"))
    assert message.defects == (Defect.REPEATED_HEADER,)


def test_an_encoding_of_a_multipart_is_ignored() -> None:
    message = parse(b"Content-Transfer-Encoding: base64\r\n" + mixed(b"--b", b"", b"one", b"--b--"))
    assert contents(message) == [b"one"]
    assert message.defects == (Defect.ENCODED_MULTIPART,)


def test_a_content_type_that_is_none_is_text() -> None:
    part = only(b"Content-Type: rubbish\r\n\r\nhello")
    assert (part.content_type, part.text, part.defects) == ("text/plain", "hello", (Defect.BAD_CONTENT_TYPE,))


def test_a_semicolon_may_be_missing_before_the_first_parameter() -> None:
    part = only(b'Content-Type: application/pdf name="a.pdf"\r\n\r\n')
    assert (part.content_type, part.filename) == ("application/pdf", "a.pdf")


def test_a_date_that_is_none_is_noted() -> None:
    message = parse(b"Date: soon\r\n\r\n")
    assert (message.date, message.defects) == (None, (Defect.BAD_DATE,))


NESTED = b"Content-Type: message/rfc822\r\n\r\n" * 5 + TEXT + b"deep"


@pytest.mark.parametrize(
    ("raw", "limits", "defect", "parts"),
    [
        pytest.param(mixed(*(b"--b", b"", b"x") * 5, b"--b--"), Limits(parts=3), Defect.TOO_MANY_PARTS, 3, id="parts"),
        pytest.param(NESTED, Limits(depth=3), Defect.TOO_DEEP, 3, id="depth-of-messages"),
        pytest.param(
            mixed(b"--b", mixed(b"--c", b"", b"x", b"--c--", boundary=b"c"), b"--b--"),
            Limits(depth=2),
            Defect.TOO_DEEP,
            2,
            id="depth-of-multiparts",
        ),
        pytest.param(b"X: y\r\n" * 5 + b"\r\nbody", Limits(headers=3), Defect.TOO_MANY_HEADERS, 1, id="headers"),
        pytest.param(
            b"Subject: " + b"x" * 2000 + b"\r\n\r\nbody", Limits(header=998), Defect.HEADER_TOO_LONG, 1, id="header"
        ),
        pytest.param(
            mixed(*(b"--bb",) * 9, b"--b", b"", b"x", b"--b--"),
            Limits(boundaries=5),
            Defect.TOO_MANY_BOUNDARIES,
            2,
            id="boundaries",
        ),
    ],
)
def test_past_a_limit_a_message_is_truncated_and_its_bytes_are_kept(
    raw: bytes, limits: Limits, defect: Defect, parts: int
) -> None:
    message = parse(raw, limits=limits)
    assert message.truncated
    assert defect in message.defects
    assert len(message.parts) == parts
    assert message.raw == raw
    assert max(part.end for part in message.parts) >= len(raw) - len(b"\r\n--b--\r\n")
    assert not parse(raw).truncated


def test_what_follows_the_last_part_that_is_indexed_is_its_content() -> None:
    message = parse(mixed(b"--b", b"", b"one", b"--b", b"", b"two", b"--b--"), limits=Limits(parts=2))
    assert message.parts[1].content.startswith(b"one\r\n--b\r\n\r\ntwo")


def test_a_long_field_is_decoded_up_to_the_limit() -> None:
    message = parse(b"Subject: " + b"x" * 2000 + b"\r\n\r\n", limits=Limits(header=998))
    assert message.subject is not None
    assert 990 <= len(message.subject) <= 998
    assert len(message.headers[0].raw) == 2011


def test_json_holds_structure_and_header_values_but_no_content() -> None:
    raw = b"Subject: shown\r\nFrom: A <a@b.example>\r\n" + mixed(b"--b", b"", b"secret", b"--b--")
    dumped = parse(raw).model_dump(mode="json")
    assert list(dumped) == [
        "size", "subject", "from", "sender", "reply_to", "to", "cc", "bcc", "date", "message_id", "in_reply_to",
        "references", "list_id", "headers", "parts", "is_bulk", "is_auto_submitted", "is_bounce", "is_encrypted",
        "is_signed", "defects", "truncated",
    ]  # fmt: skip
    assert list(dumped["parts"][1]) == [
        "path", "parent", "start", "body_start", "end", "content_type", "charset", "disposition", "filename",
        "content_id", "size", "is_attachment", "defects",
    ]  # fmt: skip
    assert dumped["subject"] == "shown"
    assert dumped["from"][0]["spec"] == "a@b.example"
    assert "secret" not in parse(raw).model_dump_json()
    assert "secret" not in repr(parse(raw))


@pytest.mark.parametrize("name", ["raw", "subject", "size", "text", "anything"])
def test_a_message_and_its_parts_cannot_be_changed(name: str) -> None:
    message = parse(b"Subject: x\r\n\r\nbody")
    for model in (message, message.parts[0]):
        with pytest.raises((ValidationError, AttributeError)):
            setattr(model, name, "other")
    assert message.subject == "x"


def test_any_kind_of_memory_is_read_and_none_is_copied() -> None:
    raw = RAW
    expected = parse(raw).model_dump()
    for memory in (bytearray(raw), memoryview(raw), memoryview(b"xx" + raw)[2:]):
        assert parse(memory).model_dump() == expected
    assert parse(raw).raw is raw
    with tempfile.TemporaryFile() as file:
        file.write(raw)
        file.flush()
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            message = parse(mapped)
            assert message.raw is mapped
            assert message.model_dump() == expected
            assert contents(message) == [b"one\r\ntwo", b"three"]
