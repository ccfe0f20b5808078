"""Edits as byte ranges: what was asked for, and not a byte more."""

import mmap
import re
import tempfile
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from postroom.message import Part, parse
from postroom.message.buffer import Raw
from postroom.message.edit import AddHeader, DropPart, Edit, RemoveHeader, SetHeader, edited
from postroom.message.limits import Limits

SIMPLE = b"From: a@x\nSubject: old\nReceived: 1\nsubject: older\nX-A: 1\nX-B: 2\n\nBody\n"
MIXED = b"""From: a@x
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="b"

preamble
--b

text
--b
Content-Type: application/pdf; name=i.pdf
Content-Transfer-Encoding: base64

JVBERi0=
--b
Content-Type: message/rfc822

Subject: inner
Content-Type: image/png
Content-Transfer-Encoding: base64

AAAA
--b--
epilogue
""".replace(b"\n", b"\r\n")


def joined(raw: Raw, *edits: AddHeader | SetHeader | RemoveHeader | DropPart) -> bytes:
    return b"".join(edited(raw, edits))


def parts(raw: bytes) -> tuple[Part, ...]:
    return parse(raw).parts


def types(raw: bytes) -> list[tuple[str, str]]:
    return [(part.path, part.content_type) for part in parts(raw)]


@pytest.mark.parametrize(
    ("edit", "before", "after"),
    [
        pytest.param(AddHeader(name="X", value="y"), b"", b"X: y\n", id="add-on-top"),
        pytest.param(SetHeader(name="SUBJECT", value="n"), b"Subject: old\n", b"SUBJECT: n\n", id="set-in-place"),
        pytest.param(SetHeader(name="New", value="n"), b"", b"New: n\n", id="set-what-is-absent-on-top"),
        pytest.param(RemoveHeader(name="received"), b"Received: 1\n", b"", id="remove"),
        pytest.param(RemoveHeader(name="x-?"), b"X-A: 1\nX-B: 2\n", b"", id="remove-by-question-mark"),
        pytest.param(RemoveHeader(name="X-*"), b"X-A: 1\nX-B: 2\n", b"", id="remove-by-star"),
        pytest.param(RemoveHeader(name="*e*c*i*d"), b"Received: 1\n", b"", id="remove-by-several-stars"),
        pytest.param(RemoveHeader(name="X"), b"", b"", id="remove-what-is-absent"),
    ],
)
def test_a_header_edit_changes_its_field_alone(
    edit: AddHeader | SetHeader | RemoveHeader, before: bytes, after: bytes
) -> None:
    expected = SIMPLE.replace(before, after, 1) if before else after + SIMPLE
    if isinstance(edit, SetHeader) and before:
        expected = expected.replace(b"subject: older\n", b"")
    assert joined(SIMPLE, edit) == expected


def test_edits_apply_one_after_another() -> None:
    changed = joined(
        SIMPLE,
        AddHeader(name="X-New", value="1"),
        RemoveHeader(name="X-*"),
        AddHeader(name="A", value="1"),
        AddHeader(name="A", value="2"),
        SetHeader(name="A", value="3"),
        RemoveHeader(name="subject"),
        SetHeader(name="Subject", value="last"),
    )
    assert changed == b"Subject: last\nA: 3\nFrom: a@x\nReceived: 1\n\nBody\n"


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        pytest.param(b"A: 1\r\n\r\nb\n", b"X: y\r\nA: 1\r\n\r\nb\n", id="crlf"),
        pytest.param(b"A: 1\n\nb\r\n", b"X: y\nA: 1\n\nb\r\n", id="lf"),
        pytest.param(b"From a@x  Mon\nA: 1\n\nb", b"From a@x  Mon\nX: y\nA: 1\n\nb", id="below-the-mbox-line"),
        pytest.param(b"A: 1", b"X: y\r\nA: 1", id="no-line-end"),
        pytest.param(b"", b"X: y\r\n\r\n", id="empty-message"),
        pytest.param(b"\nbody\n", b"X: y\n\nbody\n", id="no-header"),
        pytest.param(b"just a body\n", b"X: y\n\njust a body\n", id="no-header-and-no-blank-line"),
        pytest.param(b"A: 1\nno field\n", b"X: y\nA: 1\nno field\n", id="body-without-a-blank-line"),
    ],
)
def test_an_added_field_stands_on_top_and_ends_as_the_others_do(raw: bytes, expected: bytes) -> None:
    assert joined(raw, AddHeader(name="X", value="y")) == expected


def test_a_folded_field_is_replaced_whole() -> None:
    raw = b"Subject: a\n b\n\tc\nTo: d\n\n"
    assert joined(raw, SetHeader(name="Subject", value="e")) == b"Subject: e\nTo: d\n\n"


def test_a_subject_is_encoded_and_folded() -> None:
    changed = joined(b"Subject: a\r\n\r\n", SetHeader(name="Subject", value="Größe " * 30))
    assert changed.isascii()
    assert max(map(len, changed.split(b"\r\n"))) <= 78


def test_no_value_brings_a_line_break_into_the_header() -> None:
    changed = joined(b"A: 1\n\n", AddHeader(name="X", value="y\r\n\r\nbody\nBcc: eve@x"))
    assert changed == b"X: y body Bcc: eve@x\nA: 1\n\n"


def test_fields_past_the_limit_are_removed_too() -> None:
    raw = b"F: 1\n" * 200 + b"X-Spam: no\n\nbody"
    pieces = edited(raw, [RemoveHeader(name="X-Spam")], limits=Limits(headers=10))
    assert b"".join(pieces) == b"F: 1\n" * 200 + b"\nbody"


@pytest.mark.parametrize("name", ["", "a b", "a:", "a\r\nb", "a\n", "ä", "x" * 77])
def test_a_name_that_is_none_makes_no_edit(name: str) -> None:
    for kind in (AddHeader, SetHeader):
        with pytest.raises(ValidationError):
            kind(name=name, value="x")
    with pytest.raises(ValidationError):
        RemoveHeader(name=name)


def test_a_dropped_part_leaves_a_note_and_all_else_alone() -> None:
    start, end = (
        MIXED.index(b"Content-Type: application/pdf"),
        MIXED.index(b"\r\n--b\r\nContent-Type: message"),
    )
    note = b"Content-Type: text/plain; charset=utf-8\r\n\r\ni.pdf was removed."
    assert joined(MIXED, DropPart(path="2", note="i.pdf was removed.")) == MIXED[:start] + note + MIXED[end:]


def test_dropping_several_parts_keeps_the_structure() -> None:
    changed = joined(MIXED, DropPart(path="2", note="b"), DropPart(path="1", note="a"))
    assert types(changed) == [
        ("TEXT", "multipart/mixed"),
        ("1", "text/plain"),
        ("2", "text/plain"),
        ("3", "message/rfc822"),
        ("3.1", "image/png"),
    ]


def test_the_body_of_a_message_within_is_dropped_below_its_header() -> None:
    changed = joined(MIXED, DropPart(path="3.1", note="gone"))
    assert b"Subject: inner\r\nContent-Type: text/plain; charset=utf-8\r\n\r\ngone\r\n--b--" in changed
    assert b"AAAA" not in changed
    assert types(changed)[-1] == ("3.1", "text/plain")


def test_dropping_a_part_and_one_within_it_drops_it_once() -> None:
    changed = joined(MIXED, DropPart(path="3.1", note="inner"), DropPart(path="3", note="outer"))
    assert b"outer" in changed
    assert b"inner" not in changed


def test_the_outermost_body_is_dropped_below_the_header() -> None:
    raw = b"Subject: s\nContent-Type: image/png\nContent-Disposition: attachment\n\nAAAA\n"
    changed = joined(raw, DropPart(path="1", note="gone"), AddHeader(name="X", value="y"))
    expected = b"X: y\nMIME-Version: 1.0\nSubject: s\nContent-Type: text/plain; charset=utf-8\n\ngone\n"
    assert changed == expected


def test_a_whole_multipart_is_dropped() -> None:
    changed = joined(MIXED, DropPart(path="TEXT", note="gone"))
    assert types(changed) == [("1", "text/plain")]
    assert changed.endswith(b"\r\n\r\ngone\r\n")


def test_a_multipart_without_delimiters_is_dropped_with_its_text() -> None:
    raw = b"Content-Type: multipart/mixed; boundary=b\n\ntext\n"
    changed = joined(raw, DropPart(path=parts(raw)[-1].path, note="gone"))
    assert b"text\n" not in changed
    assert b"gone" in changed


def test_a_part_of_an_encoded_message_takes_that_message_with_it() -> None:
    raw = (
        b"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: message/rfc822\n"
        b"Content-Transfer-Encoding: base64\n\nU3ViamVjdDogaW5uZXIKCmJvZHkK\n--b--\n"
    )
    assert [part.path for part in parts(raw)] == ["TEXT", "1", "1.1"]
    changed = joined(raw, DropPart(path="1.1", note="gone"))
    assert types(changed) == [("TEXT", "multipart/mixed"), ("1", "text/plain")]


def test_a_uuencoded_file_is_dropped_out_of_its_text() -> None:
    raw = b"Subject: s\n\nbefore\nbegin 644 a.txt\n#86)C\n`\nend\nafter\n"
    (path,) = [part.path for part in parts(raw) if "/" in part.path]
    assert joined(raw, DropPart(path=path, note="gone")) == b"Subject: s\n\nbefore\n gone\nafter\n"


@pytest.mark.parametrize(
    "note",
    [
        "--b",
        "--b--\n--b",
        "x\n--b\nContent-Type: text/html\n\n<b>",
        "ü\n--b",
        "From x",
        "y" * 2000,
        "a\0\r\n--b",
    ],
)
def test_no_note_can_be_taken_for_structure(note: str) -> None:
    before = [path for path, _ in types(MIXED)]
    changed = joined(MIXED, DropPart(path="2", note=note))
    assert [path for path, _ in types(changed)] == before
    assert max(map(len, changed.split(b"\r\n"))) <= 78


def test_an_unknown_path_is_an_error() -> None:
    with pytest.raises(LookupError):
        edited(MIXED, [DropPart(path="9", note="x")])


def test_what_is_not_touched_is_not_copied() -> None:
    raw = b"Subject: a\n\n" + b"x" * 1_000_000
    pieces = edited(raw, [AddHeader(name="X", value="y")])
    assert sum(len(piece) for piece in pieces if not isinstance(piece, memoryview)) < 100


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_every_kind_of_buffer_is_edited_alike(kind: type[bytes]) -> None:
    assert joined(kind(SIMPLE), AddHeader(name="X", value="y")) == b"X: y\n" + SIMPLE


def test_a_mapped_file_is_edited() -> None:
    with tempfile.TemporaryFile() as file:
        file.write(MIXED)
        file.flush()
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        assert joined(mapped, DropPart(path="2", note="n")) == joined(MIXED, DropPart(path="2", note="n"))


def test_edits_are_stored_as_json_and_read_back() -> None:
    stored: TypeAdapter[list[Edit]] = TypeAdapter(list[Edit])
    edits: list[AddHeader | SetHeader | RemoveHeader | DropPart] = [
        AddHeader(name="A", value="ü"),
        SetHeader(name="B", value=""),
        RemoveHeader(name="X-*"),
        DropPart(path="1.2", note="n"),
    ]
    text = stored.dump_json(edits)
    assert stored.validate_json(text) == edits
    assert re.findall(rb'"op":"([a-z-]+)"', text) == [
        b"add-header",
        b"set-header",
        b"remove-header",
        b"drop-part",
    ]
    with pytest.raises(ValidationError):
        stored.validate_json(b'[{"op":"rename","name":"a"}]')


_LINES = st.lists(
    st.sampled_from([
        b"A: 1", b"Subject: s", b" folded", b"no field", b"", b"From x", b"--b", b"--b--", b"text", b"\0",
        b"Content-Type: multipart/mixed; boundary=b", b"Content-Type: message/rfc822", b"begin 644 a", b"end",
        b"Content-Transfer-Encoding: base64", b": x",
    ]),
    max_size=25,
)  # fmt: skip
_MESSAGES = st.builds(lambda lines, end: end.join(lines), _LINES, st.sampled_from([b"\r\n", b"\n", b"\r"]))


@given(st.one_of(st.binary(), _MESSAGES))
def test_no_edits_give_the_original(raw: bytes) -> None:
    assert joined(raw) == raw


@given(st.one_of(st.binary(), _MESSAGES))
def test_removing_an_added_field_gives_the_original_header(raw: bytes) -> None:
    changed = joined(raw, AddHeader(name="X-Postroom", value="1"), RemoveHeader(name="X-Postroom"))
    assert changed in {raw, *(end + raw for end in (b"\r\n", b"\n", b"\r"))}


@given(_MESSAGES)
def test_an_added_field_leaves_every_byte_in_place(raw: bytes) -> None:
    changed = joined(raw, AddHeader(name="X-Postroom", value="1"))
    at = changed.index(b"X-Postroom: 1")
    rest = changed[at:].removeprefix(b"X-Postroom: 1").lstrip(b"\r\n")
    assert raw.startswith(changed[:at])
    assert raw.endswith(rest)
    assert len(raw) - len(changed[:at]) - len(rest) == len(raw[at:]) - len(raw[at:].lstrip(b"\r\n"))


@given(_MESSAGES, st.data())
def test_every_part_can_be_dropped(raw: bytes, data: st.DataObject) -> None:
    path = data.draw(st.sampled_from([part.path for part in parts(raw)]))
    changed = joined(raw, DropPart(path=path, note="the note"))
    assert b"the note" in changed


def untouched(pieces: Sequence[Raw], raw: bytes) -> bool:
    """Whether all slices of the original stand in their order and do not overlap."""
    position = 0
    for piece in pieces:
        if isinstance(piece, memoryview):
            found = raw.find(bytes(piece), position)
            if found < 0:
                return False
            position = found + len(piece)
    return True


@given(_MESSAGES)
def test_slices_of_the_original_keep_their_order(raw: bytes) -> None:
    edits = [DropPart(path=part.path, note="n") for part in parts(raw)]
    assert untouched(edited(raw, [*edits, SetHeader(name="A", value="2"), RemoveHeader(name="s*")]), raw)
