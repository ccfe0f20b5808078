"""A domain that signs its mail (DKIM, RFC 6376), with its key in the DNS of a test."""

import base64
import subprocess
from pathlib import Path

import dkim

from servers.dns import Dns

SIGNED = [b"from", b"to", b"subject", b"date", b"message-id"]


class Signer:
    """`key`: the file with its private key; the selector is `s1`."""

    def __init__(self, home: Path, dns: Dns, domain: str = "home.example") -> None:
        self.domain = domain
        self.key = home / f"{domain}.key"
        _openssl("genrsa", "-traditional", "-out", str(self.key), "2048")
        public = _openssl("rsa", "-in", str(self.key), "-pubout", "-outform", "DER")
        dns.text(f"s1._domainkey.{domain}", f"v=DKIM1; k=rsa; p={base64.b64encode(public).decode()}")

    def signed(self, message: bytes, canonicalization: str = "relaxed/relaxed") -> bytes:
        """The message with CRLF line ends and a signature on top."""
        message = message.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        header, body = canonicalization.encode().split(b"/")
        options = {"canonicalize": (header, body), "include_headers": SIGNED}
        return bytes(dkim.sign(message, b"s1", self.domain.encode(), self.key.read_bytes(), **options)) + message


def _openssl(*arguments: str) -> bytes:
    return subprocess.run(["openssl", *arguments], check=True, capture_output=True).stdout
