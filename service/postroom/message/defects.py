"""Everything that can be odd about a message, as a closed set: names for metrics, conditions and people."""

from collections.abc import Set
from enum import StrEnum


class Defect(StrEnum):
    """One kind of oddity. Parsing goes on after each of them; the raw bytes are never changed."""

    LEADING_LINES = "leading-lines"
    """Blank lines or an mbox `From ` line stand before the first header field."""
    FOLDED_FIRST_LINE = "folded-first-line"
    """The first header line begins with a blank; it is read as a field all the same."""
    JUNK_IN_HEADER = "junk-in-header"
    """A line between header fields has no field name; it is skipped."""
    NO_HEADER_END = "no-header-end"
    """No blank line between header and body; the body begins where the fields end."""
    BARE_CR = "bare-cr"
    """A carriage return without line feed ends a line of a header."""
    NUL_IN_HEADER = "nul-in-header"
    """A header holds a NUL byte; decoded values show a space."""
    REPEATED_HEADER = "repeated-header"
    """A field that may stand only once (RFC 5322 §3.6) stands more often."""
    TOO_MANY_HEADERS = "too-many-headers"
    """A header has more fields than `limits.headers`; the others are not indexed."""
    HEADER_TOO_LONG = "header-too-long"
    """A field, or all fields of one name that hold addresses, are longer than `limits.header`; cut there."""
    BAD_ENCODED_WORD = "bad-encoded-word"
    """An RFC 2047 encoded word in a header cannot be decoded cleanly."""
    BAD_DATE = "bad-date"
    """There is a Date field, and it holds no date."""
    BAD_CONTENT_TYPE = "bad-content-type"
    """Content-Type is not `type/subtype`; text/plain is assumed (RFC 2045 §5.2)."""
    BAD_PARAMETER = "bad-parameter"
    """A parameter of Content-Type or Content-Disposition is repeated, unclosed or not encoded as RFC 2231
    says.
    """
    NO_BOUNDARY = "no-boundary"
    """A multipart names no boundary; its body is shown as one text part."""
    NO_DELIMITER = "no-delimiter"
    """A multipart's boundary never appears; its body is shown as one text part."""
    NO_CLOSING_DELIMITER = "no-closing-delimiter"
    """A multipart is not closed; it ends where what holds it ends."""
    REPEATED_BOUNDARY = "repeated-boundary"
    """A multipart uses the boundary of one that holds it; delimiters count for the outer one."""
    PART_AFTER_CLOSE = "part-after-close"
    """A part begins after the closing delimiter of its multipart; it is indexed like the others."""
    ENCODED_MULTIPART = "encoded-multipart"
    """A multipart claims base64 or quoted-printable, which RFC 2045 §6.4 forbids; the claim is ignored."""
    UNKNOWN_ENCODING = "unknown-encoding"
    """Content-Transfer-Encoding is not a known one; the bytes are taken as they are."""
    BAD_BASE64 = "bad-base64"
    """Base64 with foreign characters, wrong padding or a lost character; what can be decoded is."""
    BAD_QUOTED_PRINTABLE = "bad-quoted-printable"
    """A `=` in quoted-printable that encodes nothing; it is kept as text."""
    BAD_UUENCODING = "bad-uuencoding"
    """An uuencoded line with a wrong length or foreign characters, or a block without end."""
    UUENCODED_BLOCK = "uuencoded-block"
    """A text holds an uuencoded file; it is shown as an attachment and left out of the text."""
    UNKNOWN_CHARSET = "unknown-charset"
    """A charset label that no admitted codec has; UTF-8, then cp1252 is tried."""
    WRONG_CHARSET = "wrong-charset"
    """Text that its charset label does not decode."""
    TOO_MANY_PARTS = "too-many-parts"
    """More parts than `limits.parts`; what follows belongs to the last one."""
    TOO_DEEP = "too-deep"
    """Deeper nesting than `limits.depth`; what lies deeper is content of the deepest part."""
    TOO_MANY_BOUNDARIES = "too-many-boundaries"
    """More lines that begin like a delimiter than `limits.boundaries`; what follows belongs to the last part.
    """


_ORDER = {defect: number for number, defect in enumerate(Defect)}


def note(found: set[Defect] | None, defect: Defect) -> None:
    """Add to a set where the caller gave one."""
    if found is not None:
        found.add(defect)


def ordered(found: Set[Defect]) -> tuple[Defect, ...]:
    """Give each once, in the order above."""
    return tuple(sorted(found, key=_ORDER.__getitem__)) if found else ()
