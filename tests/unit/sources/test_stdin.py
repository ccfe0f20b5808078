from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest

from postroom.pipeline.view import Envelope
from postroom.sources.stdin import (
    CHUNK,
    HEADER_LIMIT,
    Offered,
    envelope,
    extended,
    lasting,
    offered,
    return_path,
    source_key,
)
from postroom.spool import Blob, Spool

LETTER = b"Received: by mx.example\nFrom: jane@home.example\nSubject: Sunday\n\nLunch?\n"


def take(raw: bytes, spool: Path, *, inline: int = 1 << 18, read: Callable[[int], bytes] | None = None) -> Offered:
    return offered(read or BytesIO(raw).read, inline=inline, spool=Spool(spool))


def in_pieces(raw: bytes, size: int) -> Callable[[int], bytes]:
    stream = BytesIO(raw)
    return lambda wanted: stream.read(min(size, wanted))


def spooled(spool: Path) -> list[Path]:
    return [file for file in spool.rglob("*") if file.is_file()]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, CHUNK])
@pytest.mark.parametrize(
    "raw",
    [
        LETTER,
        LETTER.replace(b"\n", b"\r\n"),
        b"From jane@home.example Sun Mar  1 18:30:00 2026\nReturn-Path: <jane@home.example>\n" + LETTER,
        b"Delivered-To: you@home.example\r\n\r\n\r\n",
        b"no header\rat all",
        b"",
    ],
    ids=["LF", "CRLF", "From_ line", "only carriers", "no header", "nothing"],
)
def test_how_a_message_is_cut_on_its_way_changes_nothing(tmp_path: Path, raw: bytes, size: int) -> None:
    assert take(raw, tmp_path, read=in_pieces(raw, size)) == take(raw, tmp_path)


@pytest.mark.parametrize("inline", [0, 100_000, 1 << 30], ids=["spooled", "spooled later", "in memory"])
def test_where_a_message_lies_does_not_change_its_identity(tmp_path: Path, inline: int) -> None:
    raw = LETTER + b"x" * (2 * CHUNK)
    assert take(raw, tmp_path, inline=inline).identity == take(raw, tmp_path, inline=len(raw)).identity


def test_up_to_the_limit_a_message_stays_in_memory_and_above_it_lies_in_the_spool(tmp_path: Path) -> None:
    raw = LETTER + b"x" * CHUNK
    assert take(raw, tmp_path, inline=len(raw)).content == raw
    assert spooled(tmp_path) == []
    content = take(raw, tmp_path, inline=len(raw) - 1).content
    assert isinstance(content, Blob)
    [file] = spooled(tmp_path)
    assert (file.name, content.size, file.read_bytes()) == (content.name, len(raw), raw)


def test_the_spool_gets_the_message_without_its_from_line(tmp_path: Path) -> None:
    line = b"From jane@home.example Sun Mar  1 18:30:00 2026\n"
    taken = take(line + LETTER, tmp_path, inline=10)
    assert taken.from_line == line
    assert [file.read_bytes() for file in spooled(tmp_path)] == [LETTER]


@pytest.mark.parametrize(
    ("top", "from_line", "sender"),
    [
        (b"", b"", None),
        (b"From jane@home.example Sun Mar  1\n", b"From jane@home.example Sun Mar  1\n", "jane@home.example"),
        (b"From jane@home.example Sun\r\n", b"From jane@home.example Sun\r\n", "jane@home.example"),
        (b"From  Sun Mar  1\n", b"From  Sun Mar  1\n", ""),
        (b"From: jane@home.example\n", b"", None),
        (b">From jane@home.example\n", b"", None),
        (b"Return-Path: <jane@home.example>\n", b"", "jane@home.example"),
        (b"Return-Path: <>\n", b"", ""),
        (b"return-path :\n <jane@home.example>\n", b"", "jane@home.example"),
        (b"From a@x.example Sun\nReturn-Path: <b@y.example>\n", b"From a@x.example Sun\n", "b@y.example"),
        (b"From \xff@x.example Sun\n", b"From \xff@x.example Sun\n", "\ufffd@x.example"),
    ],
    ids=[
        "nothing", "From_", "From_ with CRLF", "From_ without sender", "From field", "quoted From_", "Return-Path",
        "null Return-Path", "folded Return-Path", "Return-Path wins", "octets that are no UTF-8",
    ],
)  # fmt: skip
def test_the_sender_is_read_from_what_a_carrier_wrote(
    tmp_path: Path, top: bytes, from_line: bytes, sender: str | None
) -> None:
    taken = take(top + LETTER, tmp_path)
    assert (taken.from_line, taken.sender) == (from_line, sender)
    assert taken.content == top[len(from_line) :] + LETTER


def test_a_from_line_without_an_end_is_the_message(tmp_path: Path) -> None:
    assert take(b"From jane", tmp_path).content == b"From jane"


@pytest.mark.parametrize(
    ("raw", "left"),
    [
        (b"Return-Path: <a@b>\nDelivered-To: c@d\n\t(twice)\nX-Original-To: c\nTo: e\n\nx", b"To: e\n\nx"),
        (b"To: e\nRETURN-PATH : <a@b>\nSubject: s\n\nx", b"To: e\nSubject: s\n\nx"),
        (b"Received: by x (fetchmail-6.4.37)\n\tfor y\nReceived: by z\n\nx", b"Received: by z\n\nx"),
        (b"Received: by z\nReceived: by x (fetchmail-6.4.37)\n\nx", None),
        (b"To: e\n\nReturn-Path: <a@b>\n", None),
        (b"To: e\r\n\r\nReturn-Path: <a@b>\r\n", None),
        (b"To: e\rReturn-Path: <a@b>\r\rx", None),
        (b"Return-Path: <a@b>\rSubject: s\nTo: e\n\nx", b"To: e\n\nx"),
        (b"Return-Path: <a@b>", b""),
        (b" folded into nothing\nTo: e\n\nx", None),
        (b"\n\nx", None),
        (b"", b""),
    ],
    ids=[
        "all of them", "anywhere", "fetchmail on top", "fetchmail below another", "in the body", "in a body with CRLF",
        "a bare CR ends no line", "a bare CR within a field", "nothing else", "a first line that is folded",
        "no header", "nothing",
    ],
)  # fmt: skip
def test_what_carriers_write_anew_is_left_out_and_nothing_else(raw: bytes, left: bytes | None) -> None:
    assert b"".join(lasting(raw)) == (raw if left is None else left)


def test_a_return_path_in_the_body_is_none() -> None:
    assert return_path(b"To: a\n\nReturn-Path: <x@y>\n") is None
    assert return_path(b"To: a\r\n\r\nReturn-Path: <x@y>\r\n") is None


@pytest.mark.parametrize(
    "raw",
    [
        b"\n " * 300_000,
        b"Received:" * 200_000,
        b"Received: (fetchmail\n" * 50_000,
        b"Return-Path: " + b" \n" * 300_000,
        b"Return-Path: <" * 100_000,
        b"\r\n\r" * 200_000,
        b"From " * 200_000,
        b"a:\n" * 300_000,
    ],
    ids=["folds", "one word", "almost fetchmail", "blank folds", "open brackets", "line ends", "From_", "short fields"],
)
def test_a_hostile_header_is_read_to_its_end_in_one_go(tmp_path: Path, raw: bytes) -> None:
    """Quadratic work on a header of this size would run into the test's time limit."""
    assert take(raw, tmp_path, inline=1 << 22).content == raw
    assert take(raw, tmp_path, read=in_pieces(raw, 4096)).identity == take(raw, tmp_path).identity


@pytest.mark.parametrize("size", [HEADER_LIMIT - 3, HEADER_LIMIT, HEADER_LIMIT + 1, HEADER_LIMIT + CHUNK])
def test_a_header_over_the_limit_gives_the_same_identity_at_each_offer(tmp_path: Path, size: int) -> None:
    raw = (b"X-Long: " + b"y" * 70 + b"\n") * (size // 79) + b"Delivered-To: late@home.example\n\nbody"
    first = take(raw, tmp_path, inline=1 << 30)
    for piece in (1021, 65536):
        assert take(raw, tmp_path, inline=1 << 30, read=in_pieces(raw, piece)).identity == first.identity


def test_a_message_that_differs_anywhere_but_in_carrier_fields_is_another(tmp_path: Path) -> None:
    raws = [LETTER, LETTER + b" ", LETTER.replace(b"Sunday", b"Monday"), b"Received: by y\n" + LETTER, LETTER[:-1]]
    assert len({take(raw, tmp_path).identity for raw in raws}) == len(raws)


@pytest.mark.parametrize(
    ("sender", "recipients", "environment", "inside", "expected"),
    [
        ("o@x", ["r@x"], {"SENDER": "e@x", "RECIPIENT": "f@x"}, "i@x", Envelope(sender="o@x", recipients=("r@x",))),
        (None, [], {"SENDER": "e@x", "RECIPIENT": "f@x"}, "i@x", Envelope(sender="e@x", recipients=("f@x",))),
        (None, [], {}, "i@x", Envelope(sender="i@x")),
        (None, [], {}, None, Envelope(sender=None)),
        (None, [], {"SENDER": "MAILER-DAEMON"}, "i@x", Envelope(sender="")),
        ("<>", [], {}, None, Envelope(sender="")),
        (None, [], {"RECIPIENT": "a@x", "EXTENSION": "b"}, None, Envelope(sender=None, recipients=("a+b@x",))),
        (None, ["r@x"], {"RECIPIENT": "a@x", "EXTENSION": "b"}, None, Envelope(sender=None, recipients=("r@x",))),
        (None, [], {"RECIPIENT": ""}, None, Envelope(sender=None)),
    ],
    ids=[
        "options win", "environment", "the message", "unknown", "null sender by name", "null sender", "extension",
        "no extension for options", "an empty recipient",
    ],
)  # fmt: skip
def test_the_envelope_is_what_is_known_best(
    sender: str | None, recipients: list[str], environment: dict[str, str], inside: str | None, expected: Envelope
) -> None:
    assert envelope(sender=sender, recipients=recipients, environment=environment, inside=inside) == expected


@pytest.mark.parametrize(
    ("recipient", "extension", "expected"),
    [
        ("a@x", "", "a@x"), ("a@x", "lists", "a+lists@x"), ("a+lists@x", "lists", "a+lists@x"),
        ("a", "lists", "a"), ("a@b@x", "l", "a@b+l@x"),
    ],
)  # fmt: skip
def test_an_extension_is_added_where_it_is_not_there(recipient: str, extension: str, expected: str) -> None:
    assert extended(recipient, extension) == expected


def test_a_key_is_the_same_for_the_same_offer_alone() -> None:
    def key(
        *, pipeline: str = "p", sender: str | None = "s", to: tuple[str, ...] = ("a", "b"), identity: str = "i",
        passes: bool = False, number: int = 0,
    ) -> str:  # fmt: skip
        told = Envelope(sender=sender, recipients=to)
        return source_key(pipeline=pipeline, envelope=told, identity=identity, passes=passes, number=number)

    others = [
        key(pipeline="q"), key(sender="t"), key(sender=None), key(sender=""), key(to=("a",)), key(to=("ab",)),
        key(identity="j"), key(passes=True), key(number=1),
    ]  # fmt: skip
    assert key() == key(to=("b", "a"))
    assert len({key(), *others}) == 1 + len(others)
