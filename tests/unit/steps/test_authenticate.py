"""What is believed of Authentication-Results, and what a step says when it is left to itself."""

from typing import Any

import pytest

from postroom import steps, testing
from postroom.authentication.results import sections
from postroom.pipeline.outcome import Fact, Note, Outcome
from postroom.pipeline.tools import Trust
from postroom.pipeline.view import Auth, Facts

OURS = "mx.example.com"
LINE = "from evil.example (evil.example [203.0.113.9]) by mx.example.com (Postfix); x"
TRUST = Trust(hosts=(OURS,), authserv_id=(OURS,))


def planned(raw: bytes, trust: Trust = TRUST, given: Facts | None = None, **options: Any) -> list[Outcome]:
    step = steps.step("authenticate").model_validate({"from": "headers", **options})
    return [*step.plan(testing.view(raw), testing.tools(trust=trust, given=given))]


def auth(outcomes: list[Outcome]) -> Auth | None:
    found = [outcome.facts.auth for outcome in outcomes if isinstance(outcome, Fact)]
    return found[0] if found else None


def told(*fields: str) -> Auth | None:
    """What these fields say above the trust line."""
    return auth(planned(testing.message(headers={"Authentication-Results": fields, "Received": LINE})))


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        pytest.param("mx.example.com; dkim=pass header.d=a.example", Auth(dkim="pass"), id="one method"),
        pytest.param("mx.example.com 1; spf=softfail smtp.mailfrom=a.example", Auth(spf="softfail"), id="version"),
        pytest.param('"mx.example.com"; arc=fail', Auth(arc="fail"), id="quoted id"),
        pytest.param("MX.Example.COM; DMARC=Fail", Auth(dmarc="fail"), id="case"),
        pytest.param("mx.example.com; dkim/1=pass", Auth(dkim="pass"), id="method's version"),
        pytest.param(
            "mx.example.com (ours (nested) \\)); dkim=fail (bad; dkim=pass) reason=\"a; dkim=pass\" header.d=a.example;"
            "\r\n\tspf=pass smtp.mailfrom=x@a.example;\r\n\tdmarc=fail (p=REJECT sp=NONE dis=NONE) header.from=a.example",
            Auth(dkim="fail", spf="pass", dmarc="fail", policy="reject"),
            id="comments and quoted text are not results",
        ),
        pytest.param(
            "mx.example.com; dmarc=fail policy.published-domain-policy=quarantine",
            Auth(dmarc="fail", policy="quarantine"),
            id="policy as a property",
        ),
        pytest.param(
            "mx.example.com; dkim=fail header.d=a.example; dkim=pass header.d=b.example; dkim=none",
            Auth(dkim="pass"),
            id="of several signatures one that passed",
        ),
        pytest.param(
            "mx.example.com; spf=pass smtp.helo=a.example; spf=fail smtp.mailfrom=a.example",
            Auth(spf="fail"),
            id="the envelope sender before the greeting",
        ),
        pytest.param("mx.example.com; iprev=pass; dkim=dance; spf=none", Auth(spf="none"), id="other words are passed"),
    ],
)  # fmt: skip
def test_what_a_trusted_host_found_is_read(field: str, expected: Auth) -> None:
    assert told(field) == expected


@pytest.mark.parametrize(
    "field",
    [
        "", ";", "mx.example.com", "mx.example.com; none", "other.example; dkim=pass", "mx.example.com.evil.example; dkim=pass",
        "(mx.example.com) other.example; dkim=pass", "mx.example.com; dkim=passing", "mx.example.com; (dkim=pass)",
        "mx.example.com; x-dkim=pass", 'mx.example.com; "dkim=pass"', "dkim=pass; mx.example.com", "mx.example.com; dkim=pass" + "x" * 20_000,
        "mx.example.com; " + "(" * 9_000 + "dkim=pass", '"' * 9_001,
    ],
    ids=lambda field: field[:24] or "nothing",
)  # fmt: skip
def test_what_says_nothing_leaves_it_unknown(field: str) -> None:
    assert told(field) is None


def test_of_several_fields_the_topmost_counts() -> None:
    assert told("mx.example.com; spf=pass", "other.example; spf=fail", "mx.example.com; spf=fail; dmarc=none") == Auth(
        spf="pass", dmarc="none"
    )


def test_what_stands_below_the_trust_line_is_forged() -> None:
    """A stranger can write anything, but not above the Received field of the first host of ours."""
    forged = f"Authentication-Results: {OURS}; dkim=pass; dmarc=pass\r\n".encode()
    below = f"Received: {LINE}\r\n".encode() + forged + testing.message()
    outcomes = planned(below)
    assert auth(outcomes) is None
    assert [type(outcome) for outcome in outcomes] == [Note]
    again = f"Received: from x (x [127.0.0.1]) by {OURS}; x\r\n".encode() + forged + testing.message()
    assert auth(planned(f"Received: {LINE}\r\n".encode() + again)) is None
    assert auth(planned(forged + testing.message())) is None


def test_without_a_named_authserv_id_nothing_is_believed() -> None:
    raw = testing.message(headers={"Authentication-Results": f"{OURS}; dkim=pass", "Received": LINE})
    assert auth(planned(raw, Trust(hosts=(OURS,)))) is None
    assert auth(planned(raw)) == Auth(dkim="pass")


def test_a_pipelines_test_gives_the_facts() -> None:
    given = Facts(auth=Auth(dmarc="fail", policy="reject"))
    assert auth(planned(testing.message(), given=given)) == given.auth


def test_a_field_is_cut_at_its_semicolons_in_linear_time() -> None:
    assert len(sections("a;" * 8_000)) == 8_001
