"""Everything under `when`: each field and operator, asked of messages built for it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from postroom import testing
from postroom.errors import Problem
from postroom.pipeline.condition import Answer
from postroom.pipeline.conditions import compile_condition
from postroom.pipeline.view import Auth, Envelope, Facts, Spam, View, Virus

NOWHERE = Path("/nonexistent")
INVOICE = {"attachments": [testing.Attachment("Invoice.pdf", size=2000), testing.Attachment("note.txt", size=10)]}
PDF_AS_JPG = {"attachments": [testing.Attachment("a.jpg", type="image/jpeg", content=b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")]}
TO_TWO = {"to": ["Bob <bob@example.com>", "Carol <carol@example.net>"]}
REPEATED: dict[str, Any] = {"headers": {"X-Trace": ["one alpha", "two beta"]}}


def answer(when: object, view: View, directory: Path = NOWHERE) -> Answer:
    problems: list[Problem] = []
    condition = compile_condition(when, (), problems, directory=directory)
    assert condition is not None, [problem.text for problem in problems]
    return condition.ask(view)


def held(when: object, *, view: dict[str, Any] | None = None, **message: Any) -> bool | None:
    return answer(when, testing.view(testing.message(**message), **(view or {}))).held


ADDRESSES: list[tuple[str, dict[str, Any], dict[str, Any], bool]] = [
    ("from, its addr-spec", {"from": "ann@example.org"}, {}, True),
    ("from, another", {"from": "bob@example.org"}, {}, False),
    ("from, without case", {"from": "ANN@Example.ORG"}, {}, True),
    ("from, the whole value", {"from": "ann"}, {}, False),
    ("from is not its name", {"from": "Zoe*"}, {"from_": "Zoe <ann@example.org>"}, False),
    ("from, one of a list", {"from": ["*@example.net", "*@example.org"]}, {}, True),
    ("from, none of a list", {"from": ["*@example.net", "*@example.com"]}, {}, False),
    ("name", {"from": {"name": "ann"}}, {}, True),
    ("name, encoded", {"from": {"name": "jörg"}}, {"from_": "=?utf-8?q?J=C3=B6rg?= <j@example.org>"}, True),
    ("domain", {"from": {"domain": "example.org"}}, {}, True),
    ("domain, part of it", {"from": {"domain": "example"}}, {}, False),
    ("domain in Unicode", {"from": {"domain": "bücher.example"}}, {"from_": "a@xn--bcher-kva.example"}, True),
    ("domain in A-labels", {"from": {"domain": "xn--bcher-kva.example"}}, {"from_": "a@xn--bcher-kva.example"}, True),
    ("local", {"from": {"local": "ann+*"}}, {"from_": "ann+list@example.org"}, True),
    ("detail", {"from": {"detail": "list"}}, {"from_": "ann+list@example.org"}, True),
    ("a name that is there", {"from": {"name": {"exists": True}}}, {"from_": "Ann <ann@example.org>"}, True),
    ("a name that is not there", {"from": {"name": {"exists": True}}}, {"from_": "ann@example.org"}, False),
    ("no detail", {"from": {"detail": {"exists": False}}}, {"from_": "ann@example.org"}, True),
    ("no detail, but one is there", {"from": {"detail": {"exists": False}}}, {"from_": "a+b@example.org"}, False),
    ("any detail", {"from": {"detail": "*"}}, {"from_": "ann+list@example.org"}, True),
    ("any detail, where there is none", {"from": {"detail": "*"}}, {"from_": "ann@example.org"}, False),
    ("detail and more", {"from": {"detail": {"exists": True, "is": "b"}}}, {"from_": "a+b@example.org"}, True),
    ("detail that is missing", {"from": {"detail": "list"}}, {}, False),
    ("parts of one address", {"to": {"name": "bob", "domain": "example.com"}}, TO_TWO, True),
    ("parts of two addresses", {"to": {"name": "bob", "domain": "example.net"}}, TO_TWO, False),
    ("to, the second", {"to": "carol@*"}, TO_TWO, True),
    ("cc", {"cc": "dan@example.com"}, {"cc": "dan@example.com"}, True),
    ("cc is not to", {"cc": "bob@example.com"}, {}, False),
    ("reply-to", {"reply-to": "desk@*"}, {"headers": {"Reply-To": "desk@example.com"}}, True),
    ("reply-to exists not", {"reply-to": {"exists": False}}, {}, True),
    ("cc exists", {"cc": {"exists": True}}, {"cc": "dan@example.com"}, True),
    ("cc exists not", {"cc": {"exists": False}}, {"cc": "dan@example.com"}, False),
    ("recipient in Cc", {"recipient": "dan@*"}, {"cc": "dan@example.com"}, True),
    ("recipient in Bcc", {"recipient": "eve@*"}, {"headers": {"Bcc": "eve@example.com"}}, True),
    ("every", {"to": {"every": "*@example.*"}}, TO_TWO, True),
    ("every, all but one", {"to": {"every": "*@example.com"}}, TO_TWO, False),
    ("every of none", {"cc": {"every": "*"}}, {}, False),
    ("not: none of them", {"not": {"to": "*@example.com"}}, TO_TWO, False),
    ("not: of none", {"not": {"cc": "*"}}, {}, True),
]


@pytest.mark.parametrize(("when", "message", "expected"), [row[1:] for row in ADDRESSES], ids=[r[0] for r in ADDRESSES])
def test_addresses(when: dict[str, Any], message: dict[str, Any], expected: bool) -> None:
    assert held(when, **message) is expected


ENVELOPES: list[tuple[str, dict[str, Any], Envelope, bool]] = [
    ("sender", {"sender": "b@x.example"}, Envelope(sender="b@x.example"), True),
    ("sender is not From", {"sender": "ann@*"}, Envelope(sender="b@x.example"), False),
    ("sender <>", {"sender": ""}, Envelope(sender=""), True),
    ("sender is not <>", {"sender": ""}, Envelope(sender="b@x.example"), False),
    ("<> is a sender", {"sender": {"exists": True}}, Envelope(sender=""), True),
    ("no sender is known", {"sender": {"exists": False}}, Envelope(), True),
    ("no sender is not <>", {"sender": ""}, Envelope(), False),
    ("recipient in the envelope", {"recipient": "z@x.example"}, Envelope(recipients=("z@x.example",)), True),
    ("recipient in To as well", {"recipient": "bob@example.com"}, Envelope(recipients=("z@x.example",)), True),
    ("envelope-to", {"envelope-to": "z@x.example"}, Envelope(recipients=("y@x.example", "z@x.example")), True),
    ("envelope-to alone", {"envelope-to": "bob@example.com"}, Envelope(recipients=("z@x.example",)), False),
    ("envelope-to, detail", {"envelope-to": {"detail": "d"}}, Envelope(recipients=("z+d@x.example",)), True),
]


@pytest.mark.parametrize(
    ("when", "envelope", "expected"), [row[1:] for row in ENVELOPES], ids=[r[0] for r in ENVELOPES]
)
def test_the_envelope(when: dict[str, Any], envelope: Envelope, expected: bool) -> None:
    assert held(when, view={"envelope": envelope}) is expected


TEXTS: list[tuple[str, dict[str, Any], dict[str, Any], bool]] = [
    ("plain, the whole value", {"subject": "hello"}, {"subject": "Hello"}, True),
    ("plain, not a part", {"subject": "hello"}, {"subject": "Hello Bob"}, False),
    ("star in front", {"subject": "*bob"}, {"subject": "Hello Bob"}, True),
    ("star behind", {"subject": "hello*"}, {"subject": "Hello Bob"}, True),
    ("stars around", {"subject": "*lo b*"}, {"subject": "Hello Bob"}, True),
    ("stars in order", {"subject": "a*b*c"}, {"subject": "axbxc"}, True),
    ("stars out of order", {"subject": "a*c*b"}, {"subject": "axbxc"}, False),
    ("pieces do not overlap", {"subject": "ab*bc"}, {"subject": "abc"}, False),
    ("question mark", {"subject": "h?llo"}, {"subject": "Hallo"}, True),
    ("question mark is one character", {"subject": "h?llo"}, {"subject": "Hllo"}, False),
    ("question mark, not ASCII", {"subject": "gr?n"}, {"subject": "Grün"}, True),
    ("star and question mark", {"subject": "*b?b*"}, {"subject": "Hello Bob!"}, True),
    ("escaped star", {"subject": r"5 \* 3"}, {"subject": "5 * 3"}, True),
    ("escaped star is no star", {"subject": r"5 \* 3"}, {"subject": "5 x 3"}, False),
    ("escaped question mark", {"subject": r"why\?"}, {"subject": "whyx"}, False),
    ("escaped backslash", {"subject": r"a\\b"}, {"subject": "a\\b"}, True),
    ("brackets are literal", {"subject": "[dev]*"}, {"subject": "[dev] Hello"}, True),
    ("brackets are no class", {"subject": "[dev]*"}, {"subject": "d Hello"}, False),
    ("braces and plus are literal", {"subject": "{a,b}+(c)."}, {"subject": "{a,b}+(c)."}, True),
    ("star over line breaks", {"body": "one*three*"}, {"text": "one\ntwo\nthree\n"}, True),
    ("question mark over a line break", {"body": "one?two*"}, {"text": "one\ntwo\n"}, True),
    ("composed and not", {"subject": "caf\u00e9"}, {"subject": "cafe\u0301"}, True),
    ("not composed, composed", {"subject": "cafe\u0301"}, {"subject": "caf\u00e9"}, True),
    ("Unicode without case", {"subject": "ÄRGER*"}, {"subject": "ärger im amt"}, True),
    ("unfolded", {"subject": "a long subject"}, {"headers": {"Subject": "a long\r\n subject"}}, True),
    ("decoded", {"subject": "grün"}, {"headers": {"Subject": "=?iso-8859-1?q?gr=FCn?="}}, True),
    ("no subject", {"subject": "*"}, {"subject": None}, False),
    ("no subject exists", {"subject": {"exists": False}}, {"subject": None}, True),
    ("an empty subject exists", {"subject": {"exists": True}}, {"headers": {"Subject": ""}}, True),
    ("is, literal", {"subject": {"is": "a*"}}, {"subject": "A*"}, True),
    ("is no glob", {"subject": {"is": "a*"}}, {"subject": "ab"}, False),
    ("contains", {"subject": {"contains": "b?b"}}, {"subject": "Hello B?b."}, True),
    ("contains no glob", {"subject": {"contains": "b?b"}}, {"subject": "Hello Bob."}, False),
    ("contains one of", {"subject": {"contains": ["x", "bob"]}}, {"subject": "Hello Bob."}, True),
    ("starts-with", {"subject": {"starts-with": "hell"}}, {"subject": "Hello"}, True),
    ("starts-with, elsewhere", {"subject": {"starts-with": "ello"}}, {"subject": "Hello"}, False),
    ("ends-with", {"subject": {"ends-with": "LLO"}}, {"subject": "Hello"}, True),
    ("ends-with, elsewhere", {"subject": {"ends-with": "hell"}}, {"subject": "Hello"}, False),
    ("matches", {"subject": {"matches": "h*o"}}, {"subject": "Hello"}, True),
    ("regex", {"subject": {"regex": "l+o$"}}, {"subject": "Hello"}, True),
    ("regex, one of", {"subject": {"regex": ["x", "^h"]}}, {"subject": "Hello"}, True),
    ("operators all hold", {"subject": {"starts-with": "h", "ends-with": "o"}}, {"subject": "Hello"}, True),
    ("operators, one does not", {"subject": {"starts-with": "h", "ends-with": "x"}}, {"subject": "Hello"}, False),
    ("search", {"subject": "/ell/"}, {"subject": "Hello"}, True),
    ("search without case", {"subject": "/ELL/"}, {"subject": "Hello"}, True),
    ("search with case", {"subject": "/(?-i)ELL/"}, {"subject": "Hello"}, False),
    ("search, Unicode", {"subject": "/gr.n$/"}, {"subject": "grün"}, True),
    ("search beside globs", {"subject": ["x*", "/l{2}/"]}, {"subject": "Hello"}, True),
    ("body", {"body": "*needle*"}, {"text": "hay needle hay"}, True),
    ("body from HTML", {"body": "*needle*"}, {"text": None, "html": "<p>nee<b>dle</b></p>"}, True),
    ("body is no markup", {"body": "*<p>*"}, {"text": None, "html": "<p>needle</p>"}, False),
    ("header, any one", {"header.X-Trace": "two*"}, REPEATED, True),
    ("header, name without case", {"header.x-trace": "two*"}, REPEATED, True),
    ("header, one holds all", {"header.X-Trace": {"starts-with": "one", "ends-with": "alpha"}}, REPEATED, True),
    ("header, two hold half", {"header.X-Trace": {"starts-with": "one", "ends-with": "beta"}}, REPEATED, False),
    ("header, every", {"header.X-Trace": {"every": "* *"}}, REPEATED, True),
    ("header, every but one", {"header.X-Trace": {"every": "one*"}}, REPEATED, False),
    ("header exists not", {"header.X-Trace": {"exists": False}}, {}, True),
    ("header.Sender", {"header.Sender": "*ann@*"}, {"headers": {"Sender": "ann@example.org"}}, True),
    ("list-id", {"list-id": "dev.example.org"}, {"headers": {"List-Id": "Dev <dev.example.org>"}}, True),
    ("no list-id", {"list-id": "*"}, {}, False),
    ("message-id", {"message-id": "*1@example.org*"}, {}, True),
    ("no message-id", {"message-id": {"exists": True}}, {"message_id": None}, False),
]


@pytest.mark.parametrize(("when", "message", "expected"), [row[1:] for row in TEXTS], ids=[row[0] for row in TEXTS])
def test_texts(when: dict[str, Any], message: dict[str, Any], expected: bool) -> None:
    assert held(when, **message) is expected


def spam(**values: Any) -> dict[str, Any]:
    return {"facts": Facts(spam=Spam(**values))}


def virus(*names: str) -> dict[str, Any]:
    return {"facts": Facts(virus=Virus(found=bool(names), names=names))}


def script(**values: Any) -> dict[str, Any]:
    return {"facts": Facts(script={"ocr": values})}


def auth(**values: Any) -> dict[str, Any]:
    return {"facts": Facts(auth=Auth(**values))}


VIEWS: list[tuple[str, dict[str, Any], dict[str, Any], bool | None]] = [
    ("mailbox", {"mailbox": "te*"}, {}, True),
    ("folder", {"folder": "inbox"}, {"folder": "INBOX"}, True),
    ("folder, another", {"folder": "inbox"}, {"folder": "Junk"}, False),
    ("flags, any one", {"flags": "$junk"}, {"flags": frozenset({"\\Seen", "$Junk"})}, True),
    ("flags, backslash", {"flags": {"is": "\\Seen"}}, {"flags": frozenset({"\\Seen"})}, True),
    ("no flags", {"flags": {"exists": False}}, {}, True),
    ("tag", {"tag": "urgent"}, {"facts": Facts(tags=frozenset({"urgent", "customer"}))}, True),
    ("tag, every", {"tag": {"every": "urgent"}}, {"facts": Facts(tags=frozenset({"urgent", "x"}))}, False),
    ("no tag is known to be none", {"not": {"tag": "urgent"}}, {}, True),
    ("spam, number", {"spam": ">= 6"}, spam(score=6.0), True),
    ("spam, bare number", {"spam": 6}, spam(score=6.0), True),
    ("spam, between", {"spam": ">= 6, < 15"}, spam(score=15.0), False),
    ("spam, negative", {"spam": "< -1.5"}, spam(score=-2.0), True),
    ("spam, mapping", {"spam": {"score": "> 5", "verdict": "spam"}}, spam(score=6.0, verdict="spam"), True),
    ("spam, symbol", {"spam": {"symbol": "BAYES_*"}}, spam(score=6.0, symbols=("X", "BAYES_99")), True),
    ("spam, no such symbol", {"spam": {"symbol": "BAYES_*"}}, spam(score=6.0, symbols=("X",)), False),
    ("auth", {"auth": {"dmarc": "fail"}}, auth(dmarc="fail"), True),
    ("auth, all that are asked", {"auth": {"dmarc": "fail", "spf": "pass"}}, auth(dmarc="fail", spf="none"), False),
    ("auth, any of several", {"auth": {"dkim": ["pass", "none"]}}, auth(dkim="none"), True),
    ("auth, no glob is a part", {"auth": {"spf": "fail"}}, auth(spf="softfail"), False),
    ("auth is unknown", {"auth": {"dmarc": "pass"}}, {}, None),
    ("not unknown auth is unknown", {"not": {"auth": {"dmarc": "pass"}}}, {}, None),
    ("a method that nobody told is unknown", {"auth": {"arc": "pass"}}, auth(dmarc="pass"), None),
    ("policy", {"auth": {"policy": "reject"}}, auth(dmarc="fail", policy="reject"), True),
    ("no policy is known to be none", {"not": {"auth": {"policy": "*"}}}, auth(dmarc="none"), True),
    ("policy is unknown with dmarc", {"auth": {"policy": "reject"}}, auth(dkim="pass"), None),
    ("spam is unknown", {"spam": ">= 6"}, {}, None),
    ("not unknown is unknown", {"not": {"spam": ">= 6"}}, {}, None),
    ("score unknown beside a verdict", {"spam": ">= 6"}, spam(verdict="spam"), None),
    ("unknown and true", {"spam": ">= 6", "mailbox": "test"}, {}, None),
    ("unknown and false", {"spam": ">= 6", "mailbox": "other"}, {}, False),
    ("unknown or true", {"any": [{"spam": ">= 6"}, {"mailbox": "test"}]}, {}, True),
    ("unknown or false", {"any": [{"spam": ">= 6"}, {"mailbox": "other"}]}, {}, None),
    ("duplicate", {"duplicate": True}, {"facts": Facts(duplicate=True)}, True),
    ("duplicate, false", {"duplicate": False}, {"facts": Facts(duplicate=False)}, True),
    ("duplicate is unknown", {"duplicate": False}, {}, None),
    ("virus", {"virus": True}, virus("Eicar"), True),
    ("virus, none", {"virus": True}, virus(), False),
    ("virus, false", {"virus": False}, virus(), True),
    ("virus, unknown", {"virus": True}, {}, None),
    ("virus, not unknown", {"not": {"virus": True}}, {}, None),
    ("virus, false is unknown, too", {"virus": False}, {}, None),
    ("virus, name", {"virus": {"found": True, "name": "eic*"}}, virus("X", "Eicar"), True),
    ("virus, another name", {"virus": {"name": "Phish*"}}, virus("Eicar"), False),
    ("script, text", {"script": {"ocr": {"lang": "D*"}}}, script(lang="de"), True),
    ("script, number", {"script": {"ocr": {"pages": "> 2"}}}, script(pages=3), True),
    ("script, bool", {"script": {"ocr": {"clear": True}}}, script(clear=True), True),
    ("script, true is no number", {"script": {"ocr": {"clear": 1}}}, script(clear=True), False),
    ("script, one is not true", {"script": {"ocr": {"clear": True}}}, script(clear=1), False),
    ("script, any of a list", {"script": {"ocr": {"lang": "fr"}}}, script(lang=["de", "fr"]), True),
    ("script, two keys", {"script": {"ocr": {"lang": "de", "pages": 2}}}, script(lang="de", pages=3), False),
    ("script, no such key", {"script": {"ocr": {"lang": "de"}}}, script(), False),
    ("script, no such key exists", {"script": {"ocr": {"lang": {"exists": False}}}}, script(), True),
    ("script, another answered", {"script": {"ocr": {"lang": "de"}}}, {"facts": Facts(script={"x": {}})}, None),
]


@pytest.mark.parametrize(("when", "view", "expected"), [row[1:] for row in VIEWS], ids=[row[0] for row in VIEWS])
def test_where_it_lies_and_what_steps_found(when: dict[str, Any], view: dict[str, Any], expected: bool | None) -> None:
    assert held(when, view=view) is expected


SYSTEM_FLAGS = frozenset({"\\Seen", "$Work"})


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        ({"flags": "\\Seen"}, True),
        ({"flags": "\\seen"}, True),
        ({"flags": "\\\\Seen"}, True),
        ({"flags": ["\\Flagged", "\\Seen"]}, True),
        ({"flags": {"matches": "\\S*"}}, True),
        ({"flags": "\\*"}, True),
        ({"flags": {"is": "\\Seen"}}, True),
        ({"flags": "\\Flagged"}, False),
        ({"flags": "Seen"}, False),
        ({"flags": "$Work"}, True),
        ({"not": {"flags": "\\Flagged"}}, True),
    ],
    ids=str,
)
def test_flags_are_written_as_imap_does(when: dict[str, Any], expected: bool) -> None:
    assert held(when, view={"flags": SYSTEM_FLAGS}) is expected


def test_the_words_of_a_flag_are_the_operators() -> None:
    wrong: list[Problem] = []
    condition = compile_condition({"flags": "\\Seen"}, (), wrong, directory=NOWHERE)
    assert condition is not None
    assert condition.labels() == ("flags: \\Seen",)


ATTACHED: list[tuple[str, dict[str, Any], dict[str, Any], bool]] = [
    ("name", {"attachment": "*.PDF"}, INVOICE, True),
    ("another name", {"attachment": "*.exe"}, INVOICE, False),
    ("name, mapping", {"attachment": {"name": ["*.exe", "/^inv/"]}}, INVOICE, True),
    ("operator on the name", {"attachment": {"contains": "voice"}}, INVOICE, True),
    ("type", {"attachment": {"type": "application/pdf"}}, INVOICE, True),
    ("type as its content says", {"attachment": {"type": "application/pdf"}}, PDF_AS_JPG, True),
    ("type as it is labelled", {"attachment": {"type": "image/*"}}, PDF_AS_JPG, True),
    ("size", {"attachment": {"size": ">= 2KB"}}, INVOICE, True),
    ("size, too large", {"attachment": {"size": "> 2KB"}}, INVOICE, False),
    ("one holds all", {"attachment": {"name": "*.pdf", "size": "> 1KB"}}, INVOICE, True),
    ("two hold half", {"attachment": {"name": "*.txt", "size": "> 1KB"}}, INVOICE, False),
    ("every", {"attachment": {"every": ["*.pdf", "*.txt"]}}, INVOICE, True),
    ("every but one", {"attachment": {"every": "*.pdf"}}, INVOICE, False),
    ("none exists", {"attachment": {"exists": False}}, {}, True),
    ("some exist", {"attachment": {"exists": False}}, INVOICE, False),
    ("not any", {"not": {"attachment": "*.exe"}}, INVOICE, True),
    ("their number", {"attachments": 2}, INVOICE, True),
    ("their number, compared", {"attachments": ">= 3"}, INVOICE, False),
    ("none is 0", {"attachments": 0}, {}, True),
]


@pytest.mark.parametrize(
    ("when", "message", "expected"), [row[1:] for row in ATTACHED], ids=[row[0] for row in ATTACHED]
)
def test_attachments(when: dict[str, Any], message: dict[str, Any], expected: bool) -> None:
    assert held(when, **message) is expected


SIZES = [
    ("= 1000", True), ("1000", True), (1000, True), ("1KB", True), ("1kb", True), ("< 1KiB", True), ("> 1KB", False),
    (">= 0.5KB, <= 1 KB", True), (">= 1KB, < 1KB", False), ("< 10MB", True), ("> 1GB", False), ([1, 1000], True),
]  # fmt: skip


@pytest.mark.parametrize(("size", "expected"), SIZES, ids=str)
def test_sizes_are_octets_with_units(size: object, expected: bool) -> None:
    empty = testing.message(text="")
    raw = testing.message(text="x" * (1000 - len(empty)))
    assert len(raw) == 1000
    assert answer({"size": size}, testing.view(raw)).held is expected


AGES = [("> 7d", True), (">= 8d", True), ("< 8d", False), ("> 1w", True), ("> 192h", False), ("> 7d, < 9d", True)]


@pytest.mark.parametrize(("age", "expected"), AGES, ids=str)
def test_an_age_counts_from_the_arrival(age: str, expected: bool) -> None:
    assert held({"age": age}, view={"received": testing.NOW - timedelta(days=8)}) is expected


TOKYO = ZoneInfo("Asia/Tokyo")
LATE = datetime(2026, 3, 1, 20, 30, tzinfo=UTC)  # Sunday; in Tokyo Monday, 05:30
MOMENTS: list[tuple[str, dict[str, Any], bool]] = [
    ("a day is its start", {"received": "< 2026-03-02"}, False),
    ("from a day on", {"received": ">= 2026-03-02"}, True),
    ("= is the whole day", {"received": "= 2026-03-02"}, True),
    ("a bare day is the whole day", {"received": "2026-03-02"}, True),
    ("the day it would be in UTC", {"received": "2026-03-01"}, False),
    ("the day after", {"received": "> 2026-03-03"}, False),
    ("between days", {"received": ">= 2026-03-01, < 2026-03-03"}, True),
    ("a time in the zone", {"received": "= 2026-03-02T05:30"}, True),
    ("a time with an offset", {"received": "= 2026-03-01T20:30Z"}, True),
    ("a time with another offset", {"received": "> 2026-03-01T20:30+01:00"}, True),
    ("seconds and a space", {"received": "<= 2026-03-02 05:30:00"}, True),
    ("one of several", {"received": ["2025-01-01", "2026-03-02"]}, True),
    ("time", {"time": "05:00-06:00"}, True),
    ("time up to its end", {"time": "05:00-05:30"}, False),
    ("time from its start", {"time": "05:30-06:00"}, True),
    ("time past midnight", {"time": "22:00-06:00"}, True),
    ("time past midnight, not at noon", {"time": "22:00-05:00"}, False),
    ("time, one of two", {"time": ["01:00-02:00", "05:00-24:00"]}, True),
    ("weekday", {"weekday": "mon"}, True),
    ("weekday in UTC", {"weekday": "sun"}, False),
    ("weekdays", {"weekday": ["sun", "Mon"]}, True),
]


@pytest.mark.parametrize(("when", "expected"), [row[1:] for row in MOMENTS], ids=[row[0] for row in MOMENTS])
def test_days_and_hours_are_meant_in_the_configured_zone(when: dict[str, Any], expected: bool) -> None:
    assert held(when, view={"received": LATE, "timezone": TOKYO}) is expected


DATES: list[tuple[str, object, object, bool]] = [
    ("the field Date", "2026-02-27", "Fri, 27 Feb 2026 10:00:00 +0000", True),
    ("is not the arrival", "2026-03-01", "Fri, 27 Feb 2026 10:00:00 +0000", False),
    ("its own zone", "< 2026-02-27", "Fri, 27 Feb 2026 01:00:00 +0200", True),
    ("missing", "< 2027-01-01", None, False),
    ("missing exists not", {"exists": False}, None, True),
    ("exists", {"exists": True}, "Fri, 27 Feb 2026 10:00:00 +0000", True),
    ("nonsense is missing", {"exists": False}, "yesterday or so", True),
    ("at the edge of the calendar", "< 2026-01-01", "Mon, 1 Jan 0001 00:00:00 +1200", True),
]


@pytest.mark.parametrize(("value", "date", "expected"), [row[1:] for row in DATES], ids=[row[0] for row in DATES])
def test_dates(value: object, date: object, expected: bool) -> None:
    assert held({"date": value}, date=date) is expected


TRUTHS: list[tuple[str, dict[str, str]]] = [
    ("bulk", {"Precedence": "bulk"}),
    ("auto-submitted", {"Auto-Submitted": "auto-replied"}),
    ("bounce", {"Content-Type": "multipart/report; report-type=delivery-status; boundary=x"}),
    ("encrypted", {"Content-Type": "application/pkcs7-mime; smime-type=enveloped-data"}),
    ("signed", {"Content-Type": 'multipart/signed; protocol="application/pgp-signature"; boundary=x'}),
]


@pytest.mark.parametrize(("name", "headers"), TRUTHS, ids=[row[0] for row in TRUTHS])
def test_what_a_message_is(name: str, headers: dict[str, str]) -> None:
    raw = (
        b"".join(f"{key}: {value}\r\n".encode() for key, value in headers.items()) + b"From: a@example.org\r\n\r\nx\r\n"
    )
    special = testing.view(raw, envelope=Envelope(sender="", recipients=("b@example.com",)))
    assert answer({name: True}, special).held is True
    assert answer({name: False}, special).held is False
    assert held({name: True}) is False
    assert held({name: False}) is True


JOINS: list[tuple[str, dict[str, Any], bool]] = [
    ("a mapping is all", {"subject": "hello", "from": "ann@*"}, True),
    ("a mapping with one that is false", {"subject": "hello", "from": "x@*"}, False),
    ("any", {"any": [{"subject": "x"}, {"from": "ann@*"}]}, True),
    ("any of none that hold", {"any": [{"subject": "x"}, {"from": "x@*"}]}, False),
    ("all", {"all": [{"subject": "hello"}, {"from": "ann@*"}]}, True),
    ("all, one does not", {"all": [{"subject": "hello"}, {"from": "x@*"}]}, False),
    ("not of both is not (a and b)", {"not": {"subject": "hello", "from": "x@*"}}, True),
    ("not of two that hold", {"not": {"subject": "hello", "from": "ann@*"}}, False),
    ("not not", {"not": {"not": {"subject": "hello"}}}, True),
    ("all kinds in one mapping", {"subject": "h*", "any": [{"from": "ann@*"}], "not": {"to": "x@*"}}, True),
]


@pytest.mark.parametrize(("when", "expected"), [row[1:] for row in JOINS], ids=[row[0] for row in JOINS])
def test_joins(when: dict[str, Any], expected: bool) -> None:
    assert held(when) is expected


GROUPS: list[tuple[str, dict[str, Any], dict[str, str]]] = [
    ("a group", {"subject": r"/invoice (?P<number>\d+)/"}, {"number": "17"}),
    ("by the operator", {"subject": {"regex": r"(?P<number>\d+)", "contains": "for"}}, {"number": "17"}),
    ("that took no part is empty", {"subject": r"/(?P<a>invoice)|(?P<b>offer)/"}, {"a": "Invoice", "b": ""}),
    ("of two fields", {"subject": r"/(?P<n>\d+)/", "from": "/(?P<who>.+)@/"}, {"n": "17", "who": "ann"}),
    ("the last wins", {"all": [{"subject": "/(?P<x>i)/"}, {"from": "/(?P<x>a)/"}]}, {"x": "a"}),
    ("the one of `any` that held", {"any": [{"subject": "/(?P<x>zzz)/"}, {"from": "/(?P<y>a)/"}]}, {"y": "a"}),
    ("of another value", {"header.X-Trace": r"/two (?P<w>\w+)/"}, {"w": "beta"}),
    ("of what is negated: none", {"not": {"subject": r"/offer (?P<n>\d+)/"}}, {}),
]


@pytest.mark.parametrize(("when", "match"), [row[1:] for row in GROUPS], ids=[row[0] for row in GROUPS])
def test_named_groups_are_found(when: dict[str, Any], match: dict[str, str]) -> None:
    found = answer(when, testing.view(testing.message(subject="Invoice 17 for you", **REPEATED)))
    assert found.held is True
    assert dict(found.match) == match


def test_a_condition_that_does_not_hold_finds_no_groups() -> None:
    assert not answer({"subject": "/(?P<x>h)/", "from": "nobody"}, testing.view()).match


def test_a_body_is_searched_up_to_the_limit_and_the_cut_is_told() -> None:
    raw = testing.message(text="é" * 100 + "needle")
    near, far = testing.view(raw, match_limit=205), testing.view(raw, match_limit=206 + len("\n"))
    assert answer({"body": "*needle*"}, near).held is False
    assert near.memo["body is cut"] is True
    assert answer({"body": "*needle*"}, far).held is True


def test_a_list_of_many_globs_says_what_each_of_them_says() -> None:
    globs = [f"name{number}@*" for number in range(40)] + ["*@example.org", "?nn@*", "exact@example.net"]
    for sender in ("name7@x.example", "zoe@example.org", "ANN@x.example", "exact@example.net", "nobody@x.example"):
        together = held({"from": globs}, from_=sender)
        assert together is any(held({"from": glob}, from_=sender) for glob in globs)
        assert together is (sender != "nobody@x.example")


def test_an_explanation_shows_what_was_asked_and_what_it_was_compared_with() -> None:
    why = answer({"subject": "x*", "spam": "> 1"}, testing.view()).why()
    assert why.held is False
    assert [(part.asked, part.held) for part in why.parts] == [("subject: x*", False), ("spam: > 1", None)]
    assert "Hello" in why.parts[0].compared
    assert why.parts[1].compared.startswith("unknown")
