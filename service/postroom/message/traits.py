"""What kind of message it is: bulk, automatic, a bounce, encrypted, signed."""

from collections.abc import Sequence

from postroom.message.headers import Headers
from postroom.message.part import Part

_LIST_FIELDS = (
    "list-id",
    "list-post",
    "list-unsubscribe",
    "list-help",
    "list-subscribe",
    "list-owner",
    "list-archive",
)
_CMS = frozenset(("application/pkcs7-mime", "application/x-pkcs7-mime"))
_SIGNED_CMS = frozenset(("signed-data", "certs-only"))
_PGP_MESSAGE = "-----BEGIN PGP MESSAGE-----"
_PGP_SIGNED = "-----BEGIN PGP SIGNED MESSAGE-----"


def is_bulk(headers: Headers) -> bool:
    """Any field of a mailing list (RFC 2369, RFC 2919), or Precedence `bulk`, `list` or `junk`."""
    if any(headers.occurrences(name) for name in _LIST_FIELDS):
        return True
    return headers.octets("precedence").lower() in ("bulk", "list", "junk")


def is_auto_submitted(headers: Headers) -> bool:
    """Auto-Submitted is there and is not `no` (RFC 3834 §5)."""
    value = headers.octets("auto-submitted").partition(";")[0].partition("(")[0].strip().lower()
    return bool(value) and value != "no"


def is_bounce(headers: Headers, parts: Sequence[Part]) -> bool:
    """A delivery status notification (RFC 3464), or anything from the null sender."""
    if headers.octets("return-path").replace(" ", "") == "<>":
        return True
    root = parts[0]
    if root.content_type != "multipart/report":
        return False
    kind = root.node.parameters.get("report-type", "").lower()
    return kind == "delivery-status" or any(part.content_type == "message/delivery-status" for part in parts)


def is_encrypted(parts: Sequence[Part], text: str | None) -> bool:
    """PGP/MIME or S/MIME says so (RFC 3156, RFC 8551), or the text holds an armoured PGP message."""
    if any(part.content_type == "multipart/encrypted" for part in parts):
        return True
    if any(kind not in _SIGNED_CMS for kind in _cms_kinds(parts)):
        return True
    return text is not None and _PGP_MESSAGE in text


def is_signed(parts: Sequence[Part], text: str | None) -> bool:
    """PGP/MIME or S/MIME says so, or the text holds a clear-signed PGP message. Nothing is verified."""
    if any(part.content_type == "multipart/signed" for part in parts):
        return True
    if any(kind == "signed-data" for kind in _cms_kinds(parts)):
        return True
    return text is not None and _PGP_SIGNED in text


def _cms_kinds(parts: Sequence[Part]) -> list[str]:
    default = "enveloped-data"
    return [part.node.parameters.get("smime-type", default).lower() for part in parts if part.content_type in _CMS]
