"""What is believed of Authentication-Results, and what a step says when it is left to itself."""

import itertools
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from postroom import steps, testing
from postroom.authentication.results import sections
from postroom.errors import Temporary
from postroom.pipeline.outcome import Fact, Note, Outcome
from postroom.pipeline.tools import Trust
from postroom.pipeline.view import Auth, Envelope, Facts
from postroom.transports.dns import Resolver
from servers.dns import Dns, Fault, serving
from signing import Domain, rsa

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


def test_fields_without_end_cost_little() -> None:
    """Of a message on which no host of ours set a mark all stands above the first Received field."""
    field = f"Authentication-Results: {OURS}; " + "x=y (" * 2_000 + "\r\n"
    raw = field.encode() * 1_000 + f"Received: {LINE}\r\n".encode() + testing.message()
    began = time.process_time()
    assert auth(planned(raw)) is None
    assert time.process_time() - began < 5


def test_a_field_is_cut_at_its_semicolons_in_linear_time() -> None:
    assert len(sections("a;" * 8_000)) == 8_001


# From the DNS.

AUTHOR, LIST = Domain("example.org", rsa()), Domain("list.example", rsa(2048))
CLIENT = "from mail.example.org (mail.example.org [203.0.113.9]) by mx.example.com (Postfix) with ESMTPS id 1; x"
STAMP = b"Return-Path: <ann@example.org>\r\nReceived: from mail.example.org ([203.0.113.9])\r\n\tby %b with LMTP id 1;\r\n\tx\r\n"
TICKS = itertools.count()


@pytest.fixture
def dns() -> Iterator[Dns]:
    with serving() as server:
        for domain in (AUTHOR, LIST):
            server.text(domain.at, domain.record)
        server.text("example.org", "v=spf1 ip4:203.0.113.0/24 -all")
        server.text("_dmarc.example.org", "v=DMARC1; p=reject")
        yield server


def verified(
    dns: Dns,
    raw: bytes,
    *,
    on_error: str = "later",
    timeout: float = 20,
    away: list[str] | None = None,
    **changes: Any,
) -> list[Outcome]:
    """`away`: where scanners that give no answer are written down; else there must be none."""
    told: list[str] = [] if away is None else away
    asked = Resolver(servers=dns.servers, timeout=timedelta(seconds=timeout))
    clock = testing.NOW + timedelta(microseconds=next(TICKS))
    tools = testing.tools(
        trust=TRUST, resolver=lambda: asked, clock=lambda: clock, away=lambda scanner, _: told.append(scanner)
    )
    step = steps.step("authenticate").model_validate({"from": "dns", "on-error": on_error})
    outcomes = [*step.plan(testing.view(raw, **changes), tools)]
    assert not (away is None and told)
    return outcomes


def received(raw: bytes, line: str = CLIENT) -> bytes:
    return f"Received: {line}\r\n".encode() + raw


def test_a_message_of_its_domain_passes_by_all_methods(dns: Dns) -> None:
    raw = received(LIST.seal(AUTHOR.sign(testing.message()), "dkim=pass"))
    outcomes = verified(dns, raw)
    assert auth(outcomes) == Auth(dkim="pass", spf="pass", dmarc="pass", arc="pass", policy="reject")
    assert [outcome.text for outcome in outcomes if isinstance(outcome, Note)] == [
        "dkim, signature 1: pass (rsa-sha256, 1024 bits)",
        "spf: pass (by `ip4`)",
        "dmarc: pass (by DKIM and SPF)",
        "arc: pass (1 hop)",
    ]


def test_a_forged_message_fails(dns: Dns) -> None:
    """Someone else's host, with a signature that was taken from another message."""
    signed = AUTHOR.sign(testing.message()).replace(b"Hello.", b"Pay me.")
    outcomes = verified(dns, received(signed, CLIENT.replace("203.0.113.9", "198.51.100.1")))
    assert auth(outcomes) == Auth(dkim="fail", spf="fail", dmarc="fail", arc="none", policy="reject")


def test_nothing_of_a_message_stands_in_the_trace(dns: Dns) -> None:
    outcomes = verified(dns, received(AUTHOR.sign(testing.message())))
    told = " ".join(outcome.text for outcome in outcomes if isinstance(outcome, Note))
    assert "example" not in told
    assert "203.0.113" not in told


@pytest.mark.parametrize(
    ("raw", "changes", "result"),
    [
        pytest.param(received(testing.message()), {}, "pass", id="the host of ours that saw it"),
        pytest.param(received(received(testing.message()), f"from x (x [127.0.0.1]) by {OURS}; x"), {}, "pass", id="handed on among ours"),
        pytest.param(testing.message(), {}, "none", id="nobody saw it"),
        pytest.param(received(testing.message(), CLIENT.replace(OURS, "other.example")), {}, "none", id="another saw it"),
        pytest.param(received(testing.message()), {"envelope": Envelope()}, "none", id="no sender"),
        pytest.param(b"Return-Path: <ann@example.org>\r\n" + received(testing.message()), {"envelope": Envelope()}, "pass", id="the return path"),
        pytest.param(b"Return-Path: <>\r\n" + received(testing.message()), {"envelope": Envelope()}, "none", id="the null return path"),
        pytest.param(testing.message(), {"prefix": STAMP % b"ours.example"}, "pass", id="our listener saw it"),
        pytest.param(received(testing.message(), CLIENT.replace("203.0.113.9", "198.51.100.1")), {"prefix": STAMP % b"ours.example"}, "pass", id="what stands below our listener's"),
        pytest.param(received(testing.message()), {"prefix": (STAMP % b"ours.example").replace(b"203.0.113.9", b"127.0.0.1")}, "pass", id="a host of ours gave it to our listener"),
        pytest.param(received(testing.message()), {"envelope": Envelope(sender="ann@nowhere.example")}, "none", id="a domain that says nothing"),
    ],
)  # fmt: skip
def test_spf_asks_about_the_client_that_a_host_of_ours_saw(
    dns: Dns, raw: bytes, changes: dict[str, Any], result: str
) -> None:
    found = auth(verified(dns, raw, **changes))
    assert found is not None
    assert found.spf == result


def test_a_signature_counts_as_of_the_arrival(dns: Dns) -> None:
    """One that has expired since was sound when the message came."""
    fields, body = [b"from:a@example.org\r\n"], b"Hi\r\n"
    raw = AUTHOR.by_hand({"x": "1000000000"}, fields, body) + b"From: a@example.org\r\n\r\nHi\r\n"
    then = datetime(2001, 9, 1, tzinfo=UTC)
    results = [auth(verified(dns, raw, received=at)) for at in (then, testing.NOW)]
    assert [found and found.dkim for found in results] == ["pass", "policy"]


def test_a_domain_whose_servers_fail_holds_nothing_up(dns: Dns) -> None:
    """Else anybody could make a message wait by breaking a zone of his own."""
    dns.faults = {AUTHOR.at: "servfail", "example.org": "servfail"}
    found = auth(verified(dns, received(AUTHOR.sign(testing.message()))))
    assert found == Auth(dkim="temperror", spf="temperror", dmarc="temperror", arc="none", policy="reject")


class Broken(dict[str, Fault]):
    """Every name fails."""

    def get(self, name: str, default: Any = None) -> Any:
        return self["*"]


@pytest.mark.parametrize("fault", ["silent", "servfail", "garbage"])
def test_where_the_resolver_is_away_the_message_waits_or_goes_on_and_it_is_told(dns: Dns, fault: Fault) -> None:
    dns.faults = Broken({"*": fault})
    raw = received(AUTHOR.sign(testing.message()))
    away: list[str] = []
    with pytest.raises(Temporary, match="authenticate: the DNS gives no answer"):
        verified(dns, raw, timeout=0.2, away=away)
    found = auth(verified(dns, raw, on_error="pass", timeout=0.2, away=away))
    assert found == Auth(dkim="temperror", spf="temperror", dmarc="temperror", arc="none")
    assert away == ["dns", "dns"]


def test_headers_never_ask_the_dns(dns: Dns) -> None:
    raw = testing.message(headers={"Authentication-Results": f"{OURS}; dkim=pass", "Received": LINE})
    assert auth(planned(raw)) == Auth(dkim="pass")
    assert dns.asked == []


def test_a_pipelines_test_never_asks_the_dns() -> None:
    step = steps.step("authenticate").model_validate({"from": "dns"})
    assert [*step.plan(testing.view(), testing.tools(given=Facts()))] == []
    given = Facts(auth=Auth(spf="pass"))
    assert [*step.plan(testing.view(), testing.tools(given=given))] == [Fact(given)]


def test_without_signatures_nothing_is_asked_but_the_policy(dns: Dns) -> None:
    found = auth(verified(dns, testing.message()))
    assert found == Auth(dkim="none", spf="none", dmarc="fail", arc="none", policy="reject")
    assert dns.asked == ["_dmarc.example.org TXT"]


def test_where_from_is_missing_it_is_told() -> None:
    with pytest.raises(ValidationError):
        steps.step("authenticate").model_validate({"on-error": "pass"})


@pytest.mark.parametrize("seed", range(40))
def test_a_mutilated_message_is_no_error(dns: Dns, seed: int) -> None:
    import random

    numbers = random.Random(seed)
    raw = bytearray(received(LIST.seal(AUTHOR.sign(testing.message()), "dkim=pass")))
    for _ in range(numbers.randrange(1, 30)):
        raw[numbers.randrange(len(raw))] = numbers.choice(b'\0\r\n;:=%"() \xff' + raw)
    assert auth(verified(dns, bytes(raw))) is not None


def test_a_message_made_to_cost_much_costs_little(dns: Dns) -> None:
    """Signatures, lists and blanks without end: quadratic work would take minutes."""
    field = AUTHOR.by_hand({"l": "1"}, [b"from:a@example.org\r\n"], b"x")
    head = field * 300 + b"ARC-Seal: i=1; cv=none\r\n" * 300 + b"Authentication-Results: " + b"(" * 50_000 + b"\r\n"
    body = b" " * 1_000_000 + b"x\r" * 200_000 + b"\r\n" * 500_000 + b"\t" * 1_000_000
    began = time.process_time()
    assert auth(verified(dns, received(head + testing.message() + body))) is not None
    assert time.process_time() - began < 10
