"""What an edit does to a DKIM signature (RFC 6376): nothing, unless it touches what was signed."""

import base64
import random

import dkim
import pytest

from postroom.message.edit import AddHeader, DropPart, RemoveHeader, SetHeader, edited

MESSAGE = (
    b"From: Alice <alice@example.org>\r\nTo: bob@example.com\r\nSubject: Invoice\r\n"
    b"Date: Tue, 24 Nov 2026 09:00:00 +0000\r\nX-Spam-Score: 7\r\nMIME-Version: 1.0\r\n"
    b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\n\r\nHello  \r\n--b\r\n'
    b"Content-Type: application/pdf\r\n\r\n%PDF-1.4\r\n--b--\r\n\r\n"
)
SIGNED = [b"from", b"to", b"date", b"subject"]
PUBLIC_EXPONENT = 65537


class Signer:
    """A domain with a key of its own, made from a seed; its DNS is a function."""

    def __init__(self) -> None:
        numbers = random.Random(6376)
        p, q = prime(numbers), prime(numbers)
        n, d = p * q, pow(PUBLIC_EXPONENT, -1, (p - 1) * (q - 1))
        private = [0, n, PUBLIC_EXPONENT, d, p, q, d % (p - 1), d % (q - 1), pow(q, -1, p)]
        label, pem = b"RSA PRIVATE KEY", base64.encodebytes(sequence(private))
        self._pem = b"-----BEGIN %b-----\n%b-----END %b-----\n" % (label, pem, label)
        self._record = b"v=DKIM1; k=rsa; p=" + base64.b64encode(sequence([n, PUBLIC_EXPONENT]))

    def sign(self, message: bytes, canonicalize: tuple[bytes, bytes]) -> bytes:
        signature = dkim.sign(
            message, b"s1", b"example.org", self._pem, include_headers=SIGNED, canonicalize=canonicalize
        )
        return bytes(signature + message)

    def verifies(self, message: bytes) -> bool:
        return bool(dkim.verify(message, dnsfunc=self._txt))

    def _txt(self, name: bytes, timeout: int = 5) -> bytes:
        assert name == b"s1._domainkey.example.org."
        return self._record


def prime(numbers: random.Random) -> int:
    """A probable prime of 512 bits (Fermat, eight bases); the exponent does not divide one less than it."""
    while True:
        candidate = numbers.getrandbits(512) | (3 << 510) | 1
        if candidate % PUBLIC_EXPONENT != 1 and all(
            pow(base, candidate - 1, candidate) == 1 for base in (2, 3, 5, 7, 11, 13, 17, 19)
        ):
            return candidate


def sequence(numbers: list[int]) -> bytes:
    """A sequence of integers in DER, as keys are written (RFC 8017 appendix A.1)."""
    return der(0x30, b"".join(der(0x02, n.to_bytes(n.bit_length() // 8 + 1)) for n in numbers))


def der(tag: int, content: bytes) -> bytes:
    size = len(content)
    long = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes([tag]) + (bytes([size]) if size < 128 else bytes([0x80 | len(long)]) + long) + content


@pytest.fixture(scope="module")
def signer() -> Signer:
    return Signer()


@pytest.fixture(params=[(b"simple", b"simple"), (b"relaxed", b"relaxed")], ids=["simple", "relaxed"])
def signed(request: pytest.FixtureRequest, signer: Signer) -> bytes:
    return signer.sign(MESSAGE, request.param)


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param(AddHeader(name="X-Postroom", value="Größe " * 40), id="add"),
        pytest.param(SetHeader(name="X-Spam-Score", value="0"), id="set"),
        pytest.param(SetHeader(name="X-Spam-Flag", value="NO"), id="set-what-is-absent"),
        pytest.param(RemoveHeader(name="X-Spam-*"), id="remove"),
    ],
)
def test_a_signature_that_does_not_cover_the_edited_field_still_verifies(
    signer: Signer, signed: bytes, edit: AddHeader | SetHeader | RemoveHeader
) -> None:
    assert signer.verifies(b"".join(edited(signed, [edit])))


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param(SetHeader(name="Subject", value="[spam] Invoice"), id="signed-subject"),
        pytest.param(RemoveHeader(name="Date"), id="signed-date"),
        pytest.param(DropPart(path="2", note="gone"), id="part-of-the-body"),
    ],
)
def test_a_signature_that_covers_what_was_edited_fails(
    signer: Signer, signed: bytes, edit: SetHeader | RemoveHeader | DropPart
) -> None:
    assert signer.verifies(signed)
    assert not signer.verifies(b"".join(edited(signed, [edit])))
