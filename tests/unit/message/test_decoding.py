"""Headers, file names, texts and contents as they are decoded, broken ones among them."""

from email.utils import quote

import pytest

from postroom.message import Defect, Part, parse


def only(raw: bytes) -> Part:
    (part,) = parse(raw).parts
    return part


@pytest.mark.parametrize(
    ("value", "subject", "defect"),
    [
        pytest.param("=?utf-8?q?a?=\r\n =?utf-8?q?b?=", "ab", None, id="adjacent"),
        pytest.param("=?utf-8?q?a?= =?iso-8859-1?q?=e9?=", "aé", None, id="adjacent-of-two-charsets"),
        pytest.param("=?utf-8?q?=c3?= =?utf-8?q?=a9?=", "é", None, id="character-split"),
        pytest.param("=?utf-8?b?ww==?=\r\n\t=?utf-8?b?qQ==?=", "é", None, id="character-split-in-base64"),
        pytest.param("=?utf-8?b?Y2Fm?= =?utf-8?b?w6kgYQ==?=", "café a", None, id="base64-of-whole-words"),
        pytest.param("=?utf-8?b?Y2Fmw6?= =?utf-8?b?kgYQ==?=", "café a", Defect.BAD_ENCODED_WORD, id="base64-cut"),
        pytest.param(
            "=?utf-8?B?Y2Fmw?= =?utf-8?b?6kg?=\r\n =?utf-8?b?YQ==?=",
            "café a",
            Defect.BAD_ENCODED_WORD,
            id="base64-cut-twice",
        ),
        pytest.param(
            "=?utf-8?b?Y2Fmw?= =?utf-8?b?6kgYQ?=", "café a", Defect.BAD_ENCODED_WORD, id="base64-cut-unpadded"
        ),
        pytest.param("=?utf-8?b?Y2E?= =?utf-8?b?ZsOp?=", "café", None, id="base64-of-words-without-padding"),
        pytest.param("=?utf-8?b?Y2E?= x =?utf-8?b?ZsOp?=", "ca x fé", None, id="base64-of-words-apart"),
        pytest.param("=?utf-8?q?caf=C3=A?= =?utf-8?q?9?=", "café", None, id="escape-split"),
        pytest.param("=?utf-8?q?a?= b =?utf-8?q?c?=", "a b c", None, id="word-between"),
        pytest.param("=?utf-8?q?a_b?=", "a b", None, id="underscore"),
        pytest.param("=?utf-8?q?a b?=", "a b", None, id="blank-within"),
        pytest.param("x=?utf-8?q?=c3=a9?=y", "xéy", None, id="within-a-word"),
        pytest.param("=?UTF-8*en?Q?=C3=A9?=", "é", None, id="language"),
        pytest.param("=?no-such-charset?q?=c3=a9?=", "é", Defect.UNKNOWN_CHARSET, id="unknown-charset"),
        pytest.param("=?us-ascii?q?=e9?=", "é", Defect.WRONG_CHARSET, id="wrong-charset"),
        pytest.param("=?utf-8?q?=c3=a9", "=?utf-8?q?=c3=a9", Defect.BAD_ENCODED_WORD, id="unclosed"),
        pytest.param("=?utf-8?q?a=zz?=", "a=zz", Defect.BAD_ENCODED_WORD, id="broken-quoted-printable"),
        pytest.param("=?utf-8?x?a?=", "=?utf-8?x?a?=", None, id="unknown-encoding"),
        pytest.param("=?utf-8?q?a=0d=0abcc:_b?=", "a  bcc: b", None, id="line-break-within"),
        pytest.param("caf\u00e9", "café", None, id="raw-utf-8"),
        pytest.param("a\r\n  b", "a  b", None, id="folded"),
    ],
)
def test_a_subject_is_decoded(value: str, subject: str, defect: Defect | None) -> None:
    message = parse(f"Subject: {value}\r\n\r\nbody".encode())
    assert message.subject == subject
    assert message.defects == (() if defect is None else (defect,))


def test_raw_bytes_in_a_header_that_are_no_utf_8_are_read_as_cp1252() -> None:
    assert parse(b"Subject: caf\xe9 \x80\r\n\r\n").subject == "café €"


@pytest.mark.parametrize(
    ("parameters", "filename", "bad"),
    [
        pytest.param("filename=a.txt", "a.txt", False, id="bare"),
        pytest.param('filename="a b;c.txt"', "a b;c.txt", False, id="quoted-semicolon"),
        pytest.param(r'filename="a\"b.txt"', 'a"b.txt', False, id="quoted-pair"),
        pytest.param(r'filename="C:\new\a.txt"', r"C:\new\a.txt", False, id="windows-path"),
        pytest.param("filename*=utf-8''%e2%82%ac.txt", "€.txt", False, id="extended"),
        pytest.param("filename*=utf-8'de'a%20b.txt", "a b.txt", False, id="extended-with-language"),
        pytest.param("filename*0=a; filename*1=b.txt", "ab.txt", False, id="segments"),
        pytest.param("filename*1=b.txt; filename*0=a", "ab.txt", False, id="segments-in-disorder"),
        pytest.param("filename*0*=utf-8''%c3; filename*1*=%a9.txt", "é.txt", False, id="character-split"),
        pytest.param("filename*0*=utf-8''%c3%a9; filename*1=%20.txt", "é%20.txt", False, id="plain-segment"),
        pytest.param("filename=b.txt; filename*=utf-8''a.txt", "a.txt", False, id="extended-wins"),
        pytest.param("filename*=a.txt", "a.txt", True, id="extended-without-charset"),
        pytest.param("filename*=rot13''n.gkg", "n.gkg", False, id="denied-charset"),
        pytest.param("filename*0=a; filename*0=b; filename*1=c", "ac", True, id="segment-repeated"),
        pytest.param("filename=a; filename=b", "a", True, id="repeated"),
        pytest.param('filename="=?utf-8?q?=c3=a9.txt?="', "é.txt", False, id="encoded-word"),
        pytest.param('filename="a.txt', "a.txt", True, id="unclosed"),
        pytest.param("filename=a b.txt; x=y", "a b.txt", False, id="blank-in-bare"),
        pytest.param(";; ;filename=a.txt;;", "a.txt", False, id="empty-parameters"),
    ],
)
def test_a_file_name_is_decoded(parameters: str, filename: str, bad: bool) -> None:
    part = only(f"Content-Disposition: attachment; {parameters}\r\n\r\nbody".encode())
    assert (part.disposition, part.filename) == ("attachment", filename)
    assert (Defect.BAD_PARAMETER in part.defects) == bad


def test_the_name_of_the_content_type_is_taken_where_the_disposition_has_none() -> None:
    part = only(b"Content-Type: text/x; name*=utf-8''%c3%a9\r\nContent-Disposition: inline\r\n\r\n")
    assert part.filename == "é"


def test_flowed_lines_are_joined() -> None:
    header = b"Content-Type: text/plain; format=flowed; delsp=%s\r\n\r\n"
    assert parse(header % b"no" + b"one \r\ntwo\r\n> a \r\n> b\r\n").text == "one two\n> a b\n"
    assert parse(header % b"yes" + b"one \r\ntwo\r\n").text == "onetwo\n"


def test_an_uuencoded_file_in_a_text_is_an_attachment_of_it() -> None:
    message = parse(b"Subject: x\r\n\r\nbefore\r\nbegin 644 a.txt\r\n#:&D*\r\n`\r\nend\r\nafter\r\n")
    text, file = message.parts
    assert (text.path, file.path, file.parent) == ("1", "1/1", 0)
    assert (message.text, file.filename, file.content) == ("before\nafter\n", "a.txt", b"hi\n")
    assert message.attachments == (file,)
    assert message.defects == (Defect.UUENCODED_BLOCK,)


@pytest.mark.parametrize(
    "text",
    [b"begin 644 a.txt\r\nno data\r\nend\r\n", b"begin 644 a.txt\r\n#:&D*\r\n", b"we begin 644 a\r\n#:&D*\r\n`\r\nend"],
    ids=["no-data", "no-end", "not-at-a-line's-start"],
)
def test_text_that_only_looks_uuencoded_stays_text(text: bytes) -> None:
    part = only(b"Subject: x\r\n\r\n" + text)
    assert part.content == text


@pytest.mark.parametrize(
    ("encoding", "encoded", "content", "defect"),
    [
        pytest.param(b"base64", b"aGVs\r\nbG8=\r\n", b"hello", None, id="base64"),
        pytest.param(b"BASE64 ", b"aGVsbG8=", b"hello", None, id="in-capitals"),
        pytest.param(b"base64", b"aGVsbG8", b"hello", Defect.BAD_BASE64, id="padding-missing"),
        pytest.param(b"base64", b"aGV!sbG8=", b"hello", Defect.BAD_BASE64, id="foreign-character"),
        pytest.param(b"base64", b"aGVsb", b"hel", Defect.BAD_BASE64, id="character-lost"),
        pytest.param(b"base64", b"aGk=aGk=", b"hihi", Defect.BAD_BASE64, id="padding-within"),
        pytest.param(b"base64", b"aGk=\r\nThis list is...", b"hi", Defect.BAD_BASE64, id="footer"),
        pytest.param(b"quoted-printable", b"caf=C3=A9 =\r\nx", b"caf\xc3\xa9 x", None, id="qp"),
        pytest.param(b"quoted-printable", b"=e9=", b"\xe9", None, id="qp-lower-case-and-open-end"),
        pytest.param(b"quoted-printable", b"a=  \r\nb", b"ab", None, id="qp-blanks-after-soft-break"),
        pytest.param(b"quoted-printable", b"1=2 =zz", b"1=2 =zz", Defect.BAD_QUOTED_PRINTABLE, id="qp-stray"),
        pytest.param(b"quoted-printable", b"-- \r\nx", b"-- \r\nx", None, id="qp-blank-at-line-end"),
        pytest.param(b"x-uuencode", b"begin 644 a\n#:&D*\n`\nend\n", b"hi\n", None, id="uuencode"),
        pytest.param(b"x-uuencode", b"begin 644 a\n#:&D*\n", b"hi\n", Defect.BAD_UUENCODING, id="uuencode-cut"),
        pytest.param(b"8bit", b"caf\xc3\xa9", b"caf\xc3\xa9", None, id="8bit"),
        pytest.param(b"x-what", b"as it is", b"as it is", Defect.UNKNOWN_ENCODING, id="unknown"),
    ],
)
def test_contents_are_decoded(encoding: bytes, encoded: bytes, content: bytes, defect: Defect | None) -> None:
    header = b"Content-Type: application/x\r\nContent-Transfer-Encoding: " + encoding + b"\r\n\r\n"
    part = only(header + encoded)
    assert part.content == content
    streamed = only(header + encoded)
    assert b"".join(streamed.iter_content(3)) == content
    assert streamed.size == len(content)
    assert part.defects == streamed.defects == (() if defect is None else (defect,))


def test_contents_come_in_pieces_of_the_size_that_was_asked_for() -> None:
    part = only(b"Content-Transfer-Encoding: base64\r\n\r\n" + b"AAAA" * 300_000)
    assert [len(piece) for piece in part.iter_content(400_000)] == [400_000, 400_000, 100_000]


@pytest.mark.parametrize(
    ("label", "content", "text", "defect"),
    [
        pytest.param("iso-8859-15", b"\xa4", "€", None, id="label"),
        pytest.param("ISO_8859-15", b"\xa4", "€", None, id="label-with-underscore"),
        pytest.param("iso-8859-1", b"\x80", "€", None, id="latin-1-is-cp1252"),
        pytest.param("gb2312", "镕".encode("gb18030"), "镕", None, id="gb2312-is-gb18030"),
        pytest.param("utf-16", "\ufeffa".encode("utf-16-le"), "a", None, id="utf-16"),
        pytest.param("utf-8", b"\xef\xbb\xbfa", "a", None, id="byte-order-mark"),
        pytest.param("us-ascii", b"\xc3\xa9", "é", Defect.WRONG_CHARSET, id="then-utf-8"),
        pytest.param("us-ascii", b"\xe9", "é", Defect.WRONG_CHARSET, id="then-cp1252"),
        pytest.param("utf-8", b"\x81\xe9", "\x81é", Defect.WRONG_CHARSET, id="every-byte-has-a-character"),
        pytest.param("no-such", b"\xc3\xa9", "é", Defect.UNKNOWN_CHARSET, id="unknown"),
        pytest.param("punycode", b"a-b", "a-b", Defect.UNKNOWN_CHARSET, id="punycode-denied"),
        pytest.param("idna", b"xn--a", "xn--a", Defect.UNKNOWN_CHARSET, id="idna-denied"),
        pytest.param("rot13", b"uryyb", "uryyb", Defect.UNKNOWN_CHARSET, id="rot13-denied"),
        pytest.param("zip", b"x", "x", Defect.UNKNOWN_CHARSET, id="zip-denied"),
        pytest.param("unicode_escape", b"\\x41", "\\x41", Defect.UNKNOWN_CHARSET, id="unicode-escape-denied"),
        pytest.param("undefined", b"x", "x", Defect.UNKNOWN_CHARSET, id="undefined-denied"),
        pytest.param("\0/../utf-8", b"x", "x", None, id="rubbish-in-label"),
    ],
)
def test_text_is_decoded(label: str, content: bytes, text: str, defect: Defect | None) -> None:
    part = only(f'Content-Type: text/plain; charset="{quote(label)}"\r\n\r\n'.encode() + content)
    assert part.text == text
    assert defect is None or part.defects == (defect,)


def test_text_without_a_label_is_utf_8_or_cp1252() -> None:
    assert parse(b"\n\xc3\xa9").text == "é"
    assert parse(b"\n\xe9").text == "é"


def test_content_is_kept_only_where_it_was_decoded() -> None:
    plain, encoded = only(b"\nhello"), only(b"Content-Transfer-Encoding: base64\n\naGVsbG8=")
    assert plain.content == plain.content == encoded.content == b"hello"
    assert encoded.content is encoded.content
    assert plain.content is not plain.content
