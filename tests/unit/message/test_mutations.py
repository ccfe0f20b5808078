"""Damaged and random messages: nothing raises when all of a message is read, and its bytes stay."""

import random
from collections.abc import Callable, Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom.message import Limits, Message, edited, parse

SEEDS = range(10)
FOR_EACH_SEED = 50
LONGEST = 8000
TOKENS = (
    b"\r\n", b"\n", b"\r", b"\0", b"\r\n\r\n", b"--", b"=", b"=?", b"?=", b"=?utf-8?b?", b";", b'"', b"\\", b"(", b"<",
    b",", b":", b"\xff", b"\xc3", b"From a\n", b"begin 644 a\n", b"\nend\n", b"charset=utf-7", b"filename*0*=",
    b"Content-Type: multipart/mixed; boundary=b\r\n", b"\r\n--b\r\n", b"\r\n--b--\r\n",
    b"Content-Type: message/rfc822\r\n", b"Content-Transfer-Encoding: base64\r\n",
)  # fmt: skip
ReadAll = Callable[..., Message]


def mutated(messages: Sequence[bytes], seed: int) -> Iterator[bytes]:
    """Give damaged messages; the same seed gives the same ones."""
    rng = random.Random(seed)
    for _ in range(FOR_EACH_SEED):
        damaged = bytearray(rng.choice(messages)[:LONGEST])
        for _ in range(rng.randint(1, 8)):
            _damage(damaged, messages, rng)
        yield bytes(damaged)


def _damage(target: bytearray, messages: Sequence[bytes], rng: random.Random) -> None:
    start = rng.randint(0, len(target))
    end = min(len(target), start + rng.choice((1, 2, 8, 64, 512)))
    match rng.randrange(6):
        case 0:
            target[start:end] = rng.randbytes(end - start)
        case 1:
            del target[start:end]
        case 2:
            target[start:start] = target[start:end] * rng.choice((1, 2, 20))
        case 3:
            target[start:start] = rng.choice(TOKENS)
        case 4:
            other = rng.choice(messages)
            cut = rng.randint(0, len(other))
            target[start:end] = other[cut : cut + rng.choice((8, 64, 512))]
        case _:
            del target[start:]


def assert_kept(message: Message, raw: bytes) -> None:
    assert message.raw == raw
    assert b"".join(edited(raw, ())) == raw
    for part in message.parts:
        assert 0 <= part.start <= part.body_start <= part.end <= len(part.node.data)


@pytest.mark.parametrize("seed", SEEDS)
def test_no_damage_makes_reading_raise_or_changes_a_byte(
    seed: int, corpus: tuple[bytes, ...], read_all: ReadAll
) -> None:
    for raw in mutated(corpus, seed):
        assert_kept(read_all(raw), raw)


@pytest.mark.parametrize("seed", SEEDS)
def test_no_damage_makes_tight_limits_raise(seed: int, corpus: tuple[bytes, ...], read_all: ReadAll) -> None:
    limits = Limits(parts=3, depth=2, headers=4, header=998, boundaries=5)
    for raw in mutated(corpus, seed + 1000):
        message = read_all(raw, limits)
        assert_kept(message, raw)
        assert len(message.parts) <= 3


@given(raw=st.binary(max_size=2000))
def test_any_bytes_are_a_message(raw: bytes, read_all: ReadAll) -> None:
    assert_kept(read_all(raw), raw)


lines = st.lists(st.one_of(st.sampled_from(TOKENS), st.binary(max_size=12), st.text(max_size=12).map(str.encode)))
names = st.sampled_from((
    b"From", b"To", b"Subject", b"Date", b"Message-ID", b"References", b"List-Id", b"Content-Type",
    b"Content-Transfer-Encoding", b"Content-Disposition", b"Content-ID", b"Return-Path", b"X",
))  # fmt: skip
values = st.one_of(
    lines.map(b"".join),
    st.sampled_from((
        b"multipart/mixed; boundary=b", b'multipart/digest; boundary="b b"', b"multipart/related; boundary=bb",
        b"message/rfc822", b"text/html; charset=utf-16", b"text/plain; format=flowed; delsp=yes", b"base64",
        b"quoted-printable", b"x-uuencode", b"attachment; filename*0*=utf-8''%c3; filename*1*=%a9",
        b"=?utf-8?q?=c3?= =?utf-8?q?=a9?=", b"a (b <c@d>, group: e@f;, \"g", b"<>",
    )),
)  # fmt: skip
fields = st.lists(st.tuples(names, values), max_size=6)
ends = st.sampled_from((b"\r\n", b"\n", b"\r"))
sections = st.lists(st.one_of(lines.map(b"".join), st.sampled_from((b"--b", b"--b--", b"--bb", b"--b b", b""))))


@given(blocks=st.lists(st.tuples(fields, sections), min_size=1, max_size=4), end=ends)
def test_anything_in_the_form_of_a_message_is_one(
    blocks: list[tuple[list[tuple[bytes, bytes]], list[bytes]]], end: bytes, read_all: ReadAll
) -> None:
    raw = end.join(end.join((*(name + b": " + value for name, value in header), b"", *body)) for header, body in blocks)
    assert_kept(read_all(raw), raw)


@given(raw=st.binary(max_size=300))
def test_all_kinds_of_memory_read_the_same(raw: bytes) -> None:
    expected = parse(raw).model_dump_json()
    assert parse(bytearray(raw)).model_dump_json() == expected
    assert parse(memoryview(b"x" + raw)[1:]).model_dump_json() == expected
