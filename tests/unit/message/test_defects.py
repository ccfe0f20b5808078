"""Each defect is found where it is, and none where nothing is odd."""

import subprocess
import sys

import pytest

from postroom.message import Defect, Limits, parse

MIXED = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
TEXT = b"Subject: x\r\n"
CASES: dict[Defect, bytes] = {
    Defect.LEADING_LINES: b"\r\n" + TEXT + b"\r\n",
    Defect.FOLDED_FIRST_LINE: b" " + TEXT + b"\r\n",
    Defect.JUNK_IN_HEADER: TEXT + b"no field\r\nA: b\r\n\r\n",
    Defect.NO_HEADER_END: TEXT + b"no field\r\n",
    Defect.BARE_CR: b"Subject: x\rA: b\r\n\r\n",
    Defect.NUL_IN_HEADER: b"Subject: \0\r\n\r\n",
    Defect.REPEATED_HEADER: TEXT * 2 + b"\r\n",
    Defect.TOO_MANY_HEADERS: b"A: b\r\n" * 6 + b"\r\n",
    Defect.HEADER_TOO_LONG: b"A: " + b"b" * 1000 + b"\r\n\r\n",
    Defect.BAD_ENCODED_WORD: b"Subject: =?utf-8?b?a?=\r\n\r\n",
    Defect.BAD_DATE: b"Date: once\r\n\r\n",
    Defect.BAD_CONTENT_TYPE: b"Content-Type: text\r\n\r\n",
    Defect.BAD_PARAMETER: b"Content-Disposition: inline; a=b; a=c\r\n\r\n",
    Defect.NO_BOUNDARY: b"Content-Type: multipart/mixed\r\n\r\nx",
    Defect.NO_DELIMITER: MIXED + b"x",
    Defect.NO_CLOSING_DELIMITER: MIXED + b"--b\r\n\r\nx",
    Defect.REPEATED_BOUNDARY: MIXED + b"--b\r\n" + MIXED + b"--b--",
    Defect.PART_AFTER_CLOSE: MIXED + b"--b\r\n\r\nx\r\n--b--\r\n--b\r\n\r\ny\r\n--b--",
    Defect.ENCODED_MULTIPART: b"Content-Transfer-Encoding: base64\r\n" + MIXED + b"--b\r\n\r\nx\r\n--b--",
    Defect.UNKNOWN_ENCODING: b"Content-Transfer-Encoding: x-what\r\n\r\nx",
    Defect.BAD_BASE64: b"Content-Transfer-Encoding: base64\r\n\r\nQ!Q==",
    Defect.BAD_QUOTED_PRINTABLE: b"Content-Transfer-Encoding: quoted-printable\r\n\r\n=zz",
    Defect.BAD_UUENCODING: b"Content-Transfer-Encoding: x-uuencode\r\n\r\nx",
    Defect.UUENCODED_BLOCK: TEXT + b"\r\nbegin 644 a\r\n#86)C\r\n`\r\nend\r\n",
    Defect.UNKNOWN_CHARSET: b"Content-Type: text/plain; charset=rot13\r\n\r\nx",
    Defect.WRONG_CHARSET: b"Content-Type: text/plain; charset=us-ascii\r\n\r\n\xe9",
    Defect.TOO_MANY_PARTS: MIXED + b"--b\r\n\r\nx\r\n" * 6 + b"--b--",
    Defect.TOO_DEEP: b"Content-Type: message/rfc822\r\n\r\n" * 6,
    Defect.TOO_MANY_BOUNDARIES: MIXED + b"--bb\r\n" * 30,
}
LIMITS = Limits(parts=5, depth=5, headers=5, header=998, boundaries=20)
CLEAN = (
    b"Date: Fri, 21 Nov 1997 09:55:06 -0600\r\nSubject: =?utf-8?q?caf=C3=A9?=\r\n" + MIXED + b"--b\r\n"
    b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\nQUI=\r\n--b\r\n"
    b"Content-Disposition: attachment; filename*=utf-8''a.txt\r\n\r\nx\r\n--b--\r\n"
)


def test_every_defect_has_a_case() -> None:
    assert list(CASES) == list(Defect)


@pytest.mark.parametrize("defect", CASES, ids=str)
def test_a_defect_is_found(defect: Defect) -> None:
    assert defect in parse(CASES[defect], limits=LIMITS).defects


@pytest.mark.parametrize("defect", CASES, ids=str)
def test_defects_do_not_depend_on_what_was_read_before(defect: Defect) -> None:
    before, after = parse(CASES[defect], limits=LIMITS), parse(CASES[defect], limits=LIMITS)
    _ = after.subject, after.body, after.model_dump(mode="json")
    assert before.defects == after.defects


def test_a_clean_message_has_none() -> None:
    assert parse(CLEAN).defects == ()
    assert not parse(CLEAN).truncated


@pytest.mark.parametrize("defect", Defect, ids=str)
def test_a_defect_is_named_as_a_metric_label_may_be(defect: Defect) -> None:
    assert defect == defect.name.lower().replace("_", "-")


def test_other_programs_get_a_parser_and_nothing_else() -> None:
    heavy = "{'sqlite3', 'celery', 'jinja2', 're2', 'puremagic', 'yaml', 'asyncio', 'structlog', 'typer'}"
    program = f"import sys, postroom.message; sys.exit(bool({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
