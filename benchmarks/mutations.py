"""Seeded damage to messages: bytes flipped, cut, doubled, swapped, and pieces of other messages put in."""

import random
from collections.abc import Iterator, Sequence

_TOKENS = (
    b"\r\n", b"\n", b"\r", b"\0", b"--", b"=?", b"?=", b"\r\n\r\n", b"=", b";", b'"', b"(", b"<", b",", b":",
    b"\xff", b"\xc3", b"Content-Type: multipart/mixed; boundary=b\r\n", b"\r\n--b\r\n", b"\r\n--b--\r\n",
    b"Content-Type: message/rfc822\r\n", b"Content-Transfer-Encoding: base64\r\n", b"charset=utf-7",
    b"=?utf-8?b?", b"filename*0*=", b"begin 644 a\n", b"\nend\n", b"From a\n",
)  # fmt: skip


def mutated(messages: Sequence[bytes], count: int, seed: int, longest: int = 20_000) -> Iterator[bytes]:
    """Give `count` damaged messages; the same arguments give the same ones."""
    rng = random.Random(seed)
    for _ in range(count):
        damaged = bytearray(rng.choice(messages)[:longest])
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
            target[start:start] = target[start:end] * rng.choice((1, 2, 50))
        case 3:
            target[start:start] = rng.choice(_TOKENS)
        case 4:
            other = rng.choice(messages)
            cut = rng.randint(0, len(other))
            target[start:end] = other[cut : cut + rng.choice((8, 64, 512))]
        case _:
            del target[start:]
