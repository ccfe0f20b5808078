"""Messages made to be slow: each grows with `n` where a careless parser grows with its square."""

import base64
from collections.abc import Callable

TEXT = b"Content-Type: text/plain; charset=utf-8\r\n\r\n"


def _mixed(boundary: bytes = b"b") -> bytes:
    return b'Subject: x\r\nContent-Type: multipart/mixed; boundary="' + boundary + b'"\r\n\r\n'


def many_parts(n: int) -> bytes:
    return _mixed() + (b"--b\r\n" + TEXT + b"hello world\r\n" * 75) * n + b"--b--\r\n"


def tiny_parts(n: int) -> bytes:
    return _mixed() + (b"--b\r\n" + TEXT + b"hi\r\n") * n + b"--b--\r\n"


def nested_multiparts(n: int) -> bytes:
    opened = (b'Content-Type: multipart/mixed; boundary="b%d"\r\n\r\n--b%d\r\n' % (level, level) for level in range(n))
    closed = (b"\r\n--b%d--" % level for level in reversed(range(n)))
    return b"".join(opened) + TEXT + b"deep" + b"".join(closed) + b"\r\n"


def nested_messages(n: int) -> bytes:
    return b"Content-Type: message/rfc822\r\n\r\n" * n + TEXT + b"deep\r\n"


def equal_boundaries(n: int) -> bytes:
    return (_mixed() + b"--b\r\n") * n + TEXT + b"deep\r\n" + b"--b--\r\n" * n


def many_headers(n: int) -> bytes:
    return b"".join(b"X-Field-%d: some value\r\n" % number for number in range(n)) + b"\r\nbody\r\n"


def long_header(n: int) -> bytes:
    return b"Subject: " + b"word " * (n // 5) + b"\r\n\r\nbody\r\n"


def folded_header(n: int) -> bytes:
    return b"Subject: x" + b"\r\n y" * (n // 4) + b"\r\n\r\nbody\r\n"


def junk_header_lines(n: int) -> bytes:
    return b"Subject: x\r\n" + b"no field\r\nX: y\r\n" * (n // 16) + b"\r\nbody\r\n"


def semicolons(n: int) -> bytes:
    return b"Content-Type: text/plain" + b";" * n + b"\r\n\r\nbody\r\n"


def parameter_segments(n: int) -> bytes:
    segments = b"".join(b";\r\n filename*%d*=a%%20" % number for number in range(n))
    return b"Content-Disposition: attachment" + segments + b"\r\n\r\nbody\r\n"


def unclosed_quotes(n: int) -> bytes:
    return b"Content-Type: text/plain" + b'; a="\\' * n + b"\r\n\r\nbody\r\n"


def many_addresses(n: int) -> bytes:
    return b"To: " + b",\r\n ".join(b"Some One <u%d@example.com>" % number for number in range(n)) + b"\r\n\r\nx\r\n"


def unclosed_comments(n: int) -> bytes:
    return b"From: " + b"(" * n + b"\r\nTo: " + b"(a" * n + b"\r\n\r\nbody\r\n"


def local_users(n: int) -> bytes:
    return b"To: " + b"a," * n + b"\r\n\r\nbody\r\n"


def commas(n: int) -> bytes:
    return b"Cc: " + b"," * n + b"\r\n\r\nbody\r\n"


def addresses_without_commas(n: int) -> bytes:
    return b"To: " + b"a@b " * n + b"\r\n\r\nbody\r\n"


def unclosed_angles(n: int) -> bytes:
    return b"To: " + b"<a" * n + b"\r\n\r\nbody\r\n"


def unclosed_groups(n: int) -> bytes:
    return b"To: " + b"a:" * n + b"\r\n\r\nbody\r\n"


def endless_route(n: int) -> bytes:
    return b"To: <" + b"@a," * n + b"\r\n\r\nbody\r\n"


def encoded_words(n: int) -> bytes:
    return b"Subject: " + b"=?utf-8?q?caf=C3=A9?= " * n + b"\r\n\r\nbody\r\n"


def unclosed_words(n: int) -> bytes:
    return b"Subject: " + b"=?utf-8?q?" * n + b"\r\n\r\nbody\r\n"


def dashes(n: int) -> bytes:
    return _mixed() + b"--\r\n" * (n // 4)


def near_delimiters(n: int) -> bytes:
    return _mixed() + b"--bb\r\n" * (n // 6)


def near_delimiters_after_bare_cr(n: int) -> bytes:
    return _mixed() + b"--bb\r" * (n // 5)


def parts_without_blank_lines(n: int) -> bytes:
    return _mixed() + b"--b\nX: y\n" * n + b"\n\n"


def parts_with_bare_cr(n: int) -> bytes:
    return _mixed().replace(b"\r\n", b"\r") + b"--b\rX: y\r\rhello\r" * n + b"--b--\r"


def html_tags(n: int) -> bytes:
    return b"Content-Type: text/html\r\n\r\n" + b"<a " * (n // 3)


def html_comments(n: int) -> bytes:
    return b"Content-Type: text/html\r\n\r\n" + b"<!--" * (n // 4)


def flowed_quotes(n: int) -> bytes:
    return b"Content-Type: text/plain; format=flowed\r\n\r\n" + b"> a \r\n>> b \r\n" * (n // 13)


def padded_base64(n: int) -> bytes:
    return b"Content-Transfer-Encoding: base64\r\n\r\n" + b"QQ==" * (n // 4)


def stray_equals(n: int) -> bytes:
    return b"Content-Transfer-Encoding: quoted-printable\r\n\r\n" + b"= =" * (n // 3)


def uuencode_begins(n: int) -> bytes:
    return TEXT + b"begin 644 a\r\n" * (n // 13)


def encoded_messages(n: int) -> bytes:
    message = TEXT + b"deep\r\n" + b"padding " * (n // 16)
    for _ in range(4):
        encoded = base64.encodebytes(message)
        message = b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n" + encoded
    return message


HOSTILE: dict[str, tuple[Callable[[int], bytes], int]] = {
    "1,000 parts": (many_parts, 1000),
    "1,000 tiny parts": (tiny_parts, 1000),
    "nesting 10,000": (nested_multiparts, 10_000),
    "10,000 messages within each other": (nested_messages, 10_000),
    "500 equal boundaries": (equal_boundaries, 500),
    "10,000 headers": (many_headers, 10_000),
    "1 MB header line": (long_header, 1_000_000),
    "1 MB folded header": (folded_header, 1_000_000),
    "1 MB of junk in the header": (junk_header_lines, 1_000_000),
    "20,000 semicolons": (semicolons, 20_000),
    "5,000 parameter segments": (parameter_segments, 5000),
    "10,000 unclosed quotes": (unclosed_quotes, 10_000),
    "5,000 addresses": (many_addresses, 5000),
    "10,000 unclosed comments": (unclosed_comments, 10_000),
    "10,000 commas": (commas, 10_000),
    "5,000 local users": (local_users, 5000),
    "4,000 addresses without commas": (addresses_without_commas, 4000),
    "4,000 unclosed angle brackets": (unclosed_angles, 4000),
    "5,000 unclosed groups": (unclosed_groups, 5000),
    "4,000 hosts of a route": (endless_route, 4000),
    "5,000 encoded words": (encoded_words, 5000),
    "5,000 unclosed encoded words": (unclosed_words, 5000),
    "5 MB of dashes": (dashes, 5_000_000),
    "5 MB of near delimiters": (near_delimiters, 5_000_000),
    "5 MB of them after bare CR": (near_delimiters_after_bare_cr, 5_000_000),
    "500 parts without blank lines": (parts_without_blank_lines, 500),
    "500 parts with bare CR": (parts_with_bare_cr, 500),
    "5 MB of <a": (html_tags, 5_000_000),
    "5 MB of <!--": (html_comments, 5_000_000),
    "1 MB of flowed quotes": (flowed_quotes, 1_000_000),
    "1 MB of padded base64": (padded_base64, 1_000_000),
    "1 MB of stray equals signs": (stray_equals, 1_000_000),
    "1 MB of uuencode begins": (uuencode_begins, 1_000_000),
    "1 MB encoded four times": (encoded_messages, 1_000_000),
}
"""What is made, by what, and the `n` that gives it its name."""
