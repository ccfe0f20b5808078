"""Verdicts of upstream filters and hosts, as somebody would have them who wants his mail through."""

import time
from typing import Any

import pytest

from postroom import steps, testing
from postroom.pipeline.outcome import Fact
from postroom.pipeline.tools import Trust
from postroom.pipeline.view import Facts
from postroom.steps.trust import LONGEST

BORDER = "Received: from mail.example.org (mail.example.org [203.0.113.9])\r\n\tby mx.example.com; x\r\n"
TRUST = Trust(hosts=("mx.example.com",), authserv_id=("mx.example.com",))


def told(word: str, fields: str, below: str = "") -> Facts:
    """What is believed of a message with these fields above the trust line, and those of the sender's below."""
    raw = (fields + BORDER + below).encode("utf-8", "surrogateescape") + testing.message()
    options: dict[str, Any] = {"scanner": "headers"} if word == "spam" else {"from": "headers"}
    step = steps.step(word).model_validate(options)
    outcomes = [*step.plan(testing.view(raw), testing.tools(trust=TRUST))]
    return next((one.facts for one in outcomes if isinstance(one, Fact)), Facts())


# Spam.

LONG = "".join(f"\tSYMBOL_{number}(0.10)[evil{number}.example];\r\n" for number in range(3000))
VERDICTS = {
    "spamd": f"X-Spamd-Result: default: True [16.50 / 15.00];\r\n{LONG}",
    "spamassassin": "X-Spam-Status: Yes, score=16.5 required=5.0 tests=" + ",\r\n\t".join(f"T_{n}" for n in range(5000)) + "\r\n",
    "amavis": "X-Spam-Status: Yes, score=16.5 required=5.0 tests=[" + ",\r\n\t".join(f"T_{n}=1" for n in range(5000)) + "]\r\n",
}  # fmt: skip


@pytest.mark.parametrize("fields", VERDICTS.values(), ids=VERDICTS)
def test_a_message_with_so_much_to_find_that_the_field_is_monstrous_is_spam_all_the_same(fields: str) -> None:
    assert len(fields) > 4 * LONGEST
    spam = told("spam", fields).spam
    assert spam is not None
    assert (spam.score, spam.verdict) == (16.5, "spam")
    assert len(spam.symbols) <= 200


@pytest.mark.parametrize(
    "fields",
    [
        "X-Spam-Status: " + "tests=[" * 200_000 + "\r\n",
        "X-Spam-Status: tests=" + "a," * 500_000 + "\r\n",
        "X-Spam-Status: tests=" + "a , " * 300_000 + "!\r\n",
        "X-Spam-Status: " + "score=" * 200_000 + "\r\n",
        "X-Spamd-Result: " + "[ " * 500_000 + "\r\n",
        "X-Spamd-Result: default: True [1 / 2]; " + "A" * 1_000_000 + "\r\n",
        "X-Spamd-Result: " + "AB(" * 400_000 + "\r\n",
        "X-Spam-Level: " + "*" * 1_000_000 + "\r\n",
        "X-Forefront-Antispam-Report: " + ";SCL:" * 200_000 + "\r\n",
        "X-Forefront-Antispam-Report: " + "; " * 500_000 + "\r\n",
        "X-Spam-Score: " + "9" * 1_000_000 + "\r\n",
        "X-Spam-Flag: YES\r\n" * 50_000,
        "X-Spam-Flag:\r\n" + "\t\r\n" * 300_000,
    ],
    ids=lambda fields: fields[:32],
)
def test_a_field_made_to_cost_much_costs_little(fields: str) -> None:
    began = time.process_time()
    told("spam", fields)
    assert time.process_time() - began < 2.0


@pytest.mark.parametrize(
    ("fields", "verdict"),
    [
        ("X-Spam-Flag: YES\r\nX-Spam-Flag: NO\r\n", "spam"),
        ("x-SPAM-flag: YES\r\n", "spam"),
        ("X-Spam-Flag : YES\r\n", "spam"),
        ("X-Spam-Flag:\r\n YES\r\n", "spam"),
        ("X-Spam-Flag: =?utf-8?q?NO?=\r\n", None),
        ("X-Spam-Flag: \uff2e\uff2f\r\n", None),
        ("X-Spam-Flag: N\0O\r\n", None),
        ("X-Spam-Status: Subject No, score=-9\r\n", None),
        ("X-Spam-Status: (No, score=-9)\r\n", None),
        ("X-Spam-Flag-X: NO\r\nX-X-Spam-Flag: NO\r\n", None),
        ("X-Forefront-Antispam-Report: CIP:1.2.3.4;H:a-SCL:-1.example;SCL:9;\r\n", "spam"),
        ("X-Forefront-Antispam-Report: CIP:1.2.3.4;H:SCL:-1.example;SCL:9;\r\n", "spam"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_odd_spellings_of_a_verdict_are_read_as_their_writer_meant_them_or_not_at_all(
    fields: str, verdict: str | None
) -> None:
    spam = told("spam", fields, "X-Spam-Flag: NO\r\nX-Spam-Score: -99\r\n").spam
    assert (spam.verdict if spam else None) == verdict


# Authentication-Results.

FAILED = "Authentication-Results: mx.example.com; dkim=fail; spf=fail; dmarc=fail\r\n"


@pytest.mark.parametrize(
    "forged",
    [
        "mx.example.com (; dkim=pass); dkim=fail",
        "mx.example.com; dkim=fail (dkim=pass; dkim=pass)",
        "mx.example.com; dkim=fail (((((a) dkim=pass; b););); dkim=pass;)",
        r"mx.example.com; dkim=fail (\); dkim=pass)",
        r'mx.example.com; dkim=fail reason="a\"; dkim=pass; b"',
        'mx.example.com; dkim=fail reason="; dkim=pass',
        "mx.example.com; dkim=fail (; dkim=pass",
        'mx.example.com; spf=pass (domain of "x) smtp.mailfrom="x"@evil.example; dkim=fail',
        'mx.example.com; dkim=fail (a "b) c="; dkim=pass ";x=d',
        "mx.example.com; dkim=fail header.d=x;dkim=passed",
        "mx.example.com; dkim=fail; x-dkim=pass; dkim-adsp=pass",
        "mx.example.com; dkim=fail; \uff44kim=pass; dkim=\uff50ass",
        "mx.example.com; dkim=fail; =?utf-8?q?dkim=3Dpass?=",
        "mx.example.com; dkim=fail; policy.dkim=pass",
        "mx.example.com; dkim=fail\r\n\theader.b=; smtp.helo=dkim=pass",
    ],
)
def test_what_a_stranger_has_a_host_of_ours_quote_is_no_result(forged: str) -> None:
    auth = told("authenticate", f"Authentication-Results: {forged}\r\n").auth
    assert auth is not None
    assert auth.dkim == "fail"


@pytest.mark.parametrize(
    "name",
    [
        "mx.example.com.evil.example", "evil.example/mx.example.com", "evil.example mx.example.com", "(mx.example.com)",
        '"evil.example; mx.example.com"', "mx.example.comm", "*", "", "mx.example.com/", "mx_example.com", "mx.example.c\u043em",
        "i=1; evil.example; mx.example.com", "mx.example.com,evil.example",
    ],
)  # fmt: skip
def test_a_name_that_only_looks_like_ours_is_not_believed(name: str) -> None:
    assert told("authenticate", f"Authentication-Results: {name}; dkim=pass; spf=pass; dmarc=pass\r\n").auth is None


@pytest.mark.parametrize(
    "forged",
    [
        "Authentication-Results: mx.example.com; dkim=pass; spf=pass; dmarc=pass\r\n" * 100,
        "ARC-Authentication-Results: i=1; mx.example.com; dkim=pass; spf=pass; dmarc=pass\r\n",
        BORDER + "Authentication-Results: mx.example.com; dkim=pass; spf=pass; dmarc=pass\r\n" + BORDER,
    ],
    ids=["many", "ARC", "a line of its own"],
)
def test_forged_results_below_the_line_change_nothing_however_many(forged: str) -> None:
    found = told("authenticate", FAILED, forged).auth
    assert found is not None
    assert (found.dkim, found.spf, found.dmarc) == ("fail", "fail", "fail")
    assert told("authenticate", "", forged).auth is None


@pytest.mark.parametrize(
    "value",
    ["(" * 500_000, "()" * 300_000, '"' * 500_001, "\\" * 500_000, "; " * 300_000, "dkim=pass;" * 60_000, "(;" * 7000],
    ids=lambda value: value[:10],
)
def test_results_made_to_cost_much_cost_little(value: str) -> None:
    began = time.process_time()
    told("authenticate", f"Authentication-Results: mx.example.com; {value}\r\n" * 3)
    assert time.process_time() - began < 2.0
