"""Redirects that the next server would refuse by DMARC (SEMANTICS 12 of the second list), and the seals of ARC."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from postroom import steps, testing
from postroom.authentication import arc
from postroom.authentication.bounds import Bounded
from postroom.authentication.sealing import Sealer
from postroom.authentication.signed import Signed
from postroom.errors import Permanent, Temporary
from postroom.message import parse
from postroom.pipeline.outcome import Note
from postroom.pipeline.view import Auth, Facts
from postroom.steps.forward import ForwardEffect
from postroom.testing import Transport
from postroom.transports.dns import Resolver
from servers.dns import Dns, serving
from signing import Domain, rsa

OURS = "robot@ours.example"
AUTHOR, OTHER = Domain("example.org", rsa()), Domain("other.example", rsa())
MESSAGE = testing.message(from_='"Ann \\"A\\" Grün" <ann@example.org>')
SIGNED = AUTHOR.sign(MESSAGE)


@pytest.fixture(scope="module")
def zone() -> Iterator[Dns]:
    with serving() as made:
        for domain in (AUTHOR, OTHER):
            made.text(domain.at, domain.record)
        yield made


@pytest.fixture
def dns(zone: Dns) -> Dns:
    zone.zone.pop("_dmarc.example.org", None)
    zone.faults.clear()
    zone.asked.clear()
    return zone


class Site:
    """A server in memory and a resolver that asks the test's zones."""

    def __init__(self, dns: Dns, timeout: float = 20, **tools: Any) -> None:
        self.server = Transport()
        resolver = Resolver(servers=dns.servers, timeout=timedelta(seconds=timeout))
        self.tools = testing.tools(servers={"relay": self.server}, resolver=lambda: resolver, **tools)

    def planned(self, raw: bytes, auth: Auth | None = None, **options: Any) -> tuple[list[str], ForwardEffect]:
        """Notes, and the effect."""
        given = {"to": "bob@example.net", "server": "relay", "from": OURS, **options}
        step = steps.step("forward").model_validate(given)
        *notes, effect = step.plan(testing.view(raw, facts=Facts(auth=auth)), self.tools)
        assert isinstance(effect, ForwardEffect)
        return [one.text for one in notes if isinstance(one, Note)], effect

    def sent(self, raw: bytes, **options: Any) -> bytes:
        self.planned(raw, **options)[1].perform(testing.letter(raw), self.tools)
        [mail] = self.server.sent
        return b"".join(mail.chunks)


def way(effect: ForwardEffect) -> str:
    if effect.refused:
        return "keep"
    return "rewrite-from" if effect.rewrites else {"redirect": "send", "attach": "attach"}[effect.mode]


CONTENTS = {
    "unsigned": MESSAGE,
    "sound": SIGNED,
    "broken": SIGNED.replace(b"Hello.", b"Hallo."),
    "another's": OTHER.sign(MESSAGE),
}
SURVIVING = {"sound"}


@pytest.mark.parametrize("option", ["attach", "rewrite-from", "send", "keep"])
@pytest.mark.parametrize("content", CONTENTS)
@pytest.mark.parametrize("policy", [None, "none", "quarantine", "reject", "reject; pct=0"])
def test_only_what_would_be_refused_goes_another_way(dns: Dns, policy: str | None, content: str, option: str) -> None:
    if policy is not None:
        dns.text("_dmarc.example.org", f"v=DMARC1; p={policy}")
    notes, effect = Site(dns).planned(CONTENTS[content], **{"on-dmarc-fail": option})
    fails = policy in ("quarantine", "reject") and content not in SURVIVING
    assert way(effect) == (option if fails else "send")
    assert bool(notes) == (fails and option != "send")


@pytest.mark.parametrize(
    ("record", "domain", "expected"),
    [
        ("v=DMARC1; p=reject; adkim=s", "example.org", "attach"),
        ("v=DMARC1; p=reject", "example.org", "send"),
        ("v=DMARC1; p=none; sp=reject", "other.example", "attach"),
        ("v=DMARC1; p=reject; sp=none", "other.example", "send"),
    ],
)
def test_the_policy_of_the_organization_counts_and_how_strict_it_is(
    dns: Dns, record: str, domain: str, expected: str
) -> None:
    dns.text("_dmarc.example.org", record)
    raw = testing.message(from_="ann@mail.example.org")
    signer = AUTHOR if domain == "example.org" else OTHER
    if "adkim=s" in record:
        dns.zone["_dmarc.mail.example.org"] = dns.zone["_dmarc.example.org"]
    try:
        assert way(Site(dns).planned(signer.sign(raw))[1]) == expected
    finally:
        dns.zone.pop("_dmarc.mail.example.org", None)


def test_lines_of_ours_that_a_signature_forbids_break_it(dns: Dns) -> None:
    dns.text("_dmarc.example.org", "v=DMARC1; p=reject")
    raw = AUTHOR.sign(MESSAGE, fields=(b"from", b"subject", b"resent-from"))
    assert way(Site(dns).planned(raw)[1]) == "send"
    assert way(Site(dns).planned(raw, resent=True)[1]) == "attach"


@pytest.mark.parametrize(
    ("auth", "content", "expected", "asks"),
    [
        (Auth(dkim="none", spf="pass", dmarc="pass", policy="reject"), "unsigned", "attach", False),
        (Auth(dkim="fail", spf="fail", dmarc="fail", policy="quarantine"), "broken", "attach", False),
        (Auth(dkim="pass", dmarc="fail", policy="reject"), "another's", "attach", False),
        (Auth(dkim="none", dmarc="none"), "unsigned", "send", False),
        (Auth(dkim="none", dmarc="fail", policy="none"), "unsigned", "send", False),
        (Auth(dkim="pass", spf="pass", dmarc="pass", policy="reject"), "sound", "send", True),
        (Auth(dkim="pass", spf="pass", dmarc="pass", policy="reject"), "broken", "attach", True),
        (Auth(spf="pass"), "unsigned", "attach", True),
    ],
)
def test_what_authenticate_found_decides_where_it_can(
    dns: Dns, auth: Auth, content: str, expected: str, asks: bool
) -> None:
    dns.text("_dmarc.example.org", "v=DMARC1; p=reject")
    assert way(Site(dns).planned(CONTENTS[content], auth)[1]) == expected
    assert bool(dns.asked) == asks


@pytest.mark.parametrize("name", ["_dmarc.example.org", AUTHOR.at])
def test_where_the_dns_does_not_say_the_message_waits(dns: Dns, name: str) -> None:
    dns.text("_dmarc.example.org", "v=DMARC1; p=reject")
    dns.faults[name] = "silent"
    with pytest.raises(Temporary):
        Site(dns, timeout=0.5).planned(SIGNED)
    assert way(Site(dns, timeout=0.5).planned(SIGNED, **{"on-dmarc-fail": "send"})[1]) == "send"


def test_tests_of_a_pipeline_ask_nobody(dns: Dns) -> None:
    dns.text("_dmarc.example.org", "v=DMARC1; p=reject")
    site = Site(dns, given=Facts())
    assert way(site.planned(MESSAGE)[1]) == "send"
    assert way(site.planned(MESSAGE, Auth(dkim="none", dmarc="pass", policy="reject"))[1]) == "attach"
    assert not dns.asked


def test_attached_it_comes_from_us_and_is_whole(dns: Dns) -> None:
    dns.text("_dmarc.example.org", "v=DMARC1; p=reject")
    made = parse(Site(dns).sent(MESSAGE))
    assert made.headers.get("From") == OURS
    [attached] = [part for part in made.parts if part.content_type == "message/rfc822"]
    assert made.raw[attached.body_start : attached.end] == MESSAGE


def test_a_rewritten_from_is_ours_and_answers_go_to_the_author(dns: Dns) -> None:
    dns.text("_dmarc.example.org", "v=DMARC1; p=reject")
    content = Site(dns).sent(MESSAGE, **{"on-dmarc-fail": "rewrite-from"})
    made = parse(content)
    [author] = made.from_
    assert (author.name, author.spec) == ("Ann A Grün via test.example", OURS)
    assert made.headers.occurrences("From") == 1
    [reply] = made.reply_to
    assert (reply.name, reply.spec) == ('Ann "A" Grün', "ann@example.org")
    before, _, after = MESSAGE.partition(next(f.raw for f in parse(MESSAGE).headers if f.name == "From"))
    assert content.endswith(after)
    assert before in content


def test_who_is_named_for_answers_stays(dns: Dns) -> None:
    dns.text("_dmarc.example.org", "v=DMARC1; p=reject")
    raw = testing.message(headers={"Reply-To": "list@example.org"})
    made = parse(Site(dns).sent(raw, **{"on-dmarc-fail": "rewrite-from"}))
    assert made.headers.get_all("Reply-To") == ("list@example.org",)


@pytest.mark.parametrize("options", [{"on-dmarc-fail": "keep"}, {"from": ""}], ids=["keep", "no address of ours"])
def test_what_must_not_go_fails_for_good_with_the_reason(dns: Dns, options: dict[str, str]) -> None:
    dns.text("_dmarc.example.org", "v=DMARC1; p=reject")
    site = Site(dns)
    notes, effect = site.planned(MESSAGE, **options)
    assert "DMARC" in notes[0]
    with pytest.raises(Permanent, match="DMARC"):
        effect.perform(testing.letter(MESSAGE), site.tools)
    assert not site.server.sent


@pytest.mark.parametrize("option", ["attach", "rewrite-from"])
def test_what_is_to_come_from_us_needs_an_address_of_ours(option: str) -> None:
    with pytest.raises(ValidationError, match="from"):
        steps.step("forward").model_validate({"to": "bob@example.net", "on-dmarc-fail": option})


# Seals.


def sealer() -> Sealer:
    return Sealer(domain=OTHER.name, selector=OTHER.selector, key=OTHER.key, host="mx.ours.example")


def test_a_redirect_is_sealed_with_what_was_found(dns: Dns) -> None:
    site = Site(dns, arc=sealer())
    _, effect = site.planned(SIGNED, Auth(dkim="pass", dmarc="none"), arc=True)
    effect = ForwardEffect.model_validate_json(effect.model_dump_json())
    effect.perform(testing.letter(SIGNED), site.tools)
    content = b"".join(site.server.sent[0].chunks)
    assert content.endswith(SIGNED)
    assert b"dkim=pass;\r\n\tdmarc=none;\r\n\tarc=none\r\n" in content
    bounded = Bounded(site.tools.resolver())
    assert arc.verify(Signed(parse(content), bounded), bounded).result == "pass"


def test_a_chain_is_judged_as_it_came_and_the_message_sealed_as_it_goes(dns: Dns) -> None:
    dns.text("_dmarc.example.org", "v=DMARC1; p=reject")
    site, raw = Site(dns, arc=sealer()), OTHER.seal(MESSAGE)
    content = site.sent(raw, arc=True, **{"on-dmarc-fail": "rewrite-from"})
    assert parse(content).headers.occurrences("ARC-Seal") == 2
    bounded = Bounded(site.tools.resolver())
    assert arc.verify(Signed(parse(content), bounded), bounded).result == "pass"


def test_only_a_redirect_is_sealed_and_only_when_asked(dns: Dns) -> None:
    assert b"ARC-Seal" not in Site(dns, arc=sealer()).sent(MESSAGE)
    assert b"ARC-Seal" not in Site(dns, arc=sealer()).sent(MESSAGE, arc=True, mode="attach").partition(b"\r\n\r\n")[0]


def test_without_a_key_nothing_goes_out(dns: Dns) -> None:
    site = Site(dns)
    with pytest.raises(Permanent, match="arc"):
        site.sent(MESSAGE, arc=True)
    assert not site.server.sent
