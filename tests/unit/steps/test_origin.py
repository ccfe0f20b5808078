"""What is believed of a message that came to our own listener: of a stranger's nothing, of our hosts' what they wrote."""

import pytest

from postroom import steps, testing
from postroom.pipeline.outcome import Fact
from postroom.pipeline.tools import Trust

STAMP = "Return-Path: <x@y.example>\r\nReceived: from {peer}\r\n\tby us.example with {protocol} id 1;\r\n\tx\r\n"
RAW = (
    b"Authentication-Results: mx.example; dmarc=pass\r\nX-Spam-Status: No, score=-9.0\r\n"
    b"Received: from a.example (a.example [198.51.100.7]) by mx.example; x\r\nFrom: boss@bank.example\r\n\r\nHi\r\n"
)
FROM_US = [
    pytest.param("mx.example (local)", "LMTP", (), id="a socket"),
    pytest.param("mx.example ([203.0.113.9])", "LMTP", (), id="LMTP"),
    pytest.param("mx.example ([203.0.113.9])", "UTF8LMTPS", (), id="LMTP of an international message"),
    pytest.param("mx.example ([127.0.0.1])", "ESMTP", (), id="this machine"),
    pytest.param("mx.example ([IPv6:::1])", "ESMTP", (), id="this machine, IPv6"),
    pytest.param("mx.example ([10.0.0.2])", "ESMTP", ("10.0.0.2", "mx.example"), id="an address of ours"),
    pytest.param("mx.example ([10.0.0.2])", "ESMTPS", ("10.0.0.0/8", "mx.example"), id="a network of ours"),
]
FROM_OUTSIDE = [
    pytest.param("mx.example ([203.0.113.9])", "ESMTP", (), id="SMTP"),
    pytest.param("mx.example ([203.0.113.9])", "ESMTPS", ("mx.example",), id="who calls itself ours"),
    pytest.param("x.example ([203.0.113.9])", "UTF8SMTP", ("us.example",), id="our own name"),
    pytest.param(
        "x.example ([203.0.113.9])",
        'ESMTP id 1\r\n\tfor <"from a (b) by c with LMTP id d"@example.com>\r\n\twith LMTP',
        (),
        id="a recipient that says LMTP",
    ),
    pytest.param("x.example ([IPv6:2001:db8::1])", "SMTP", ("10.0.0.0/8",), id="IPv6"),
]


def facts(word: str, peer: str, protocol: str, hosts: tuple[str, ...]) -> list[Fact]:
    step = steps.step(word).model_validate({"scanner" if word == "spam" else "from": "headers"})
    view = testing.view(RAW, prefix=STAMP.format(peer=peer, protocol=protocol).encode())
    tools = testing.tools(trust=Trust(hosts=hosts, authserv_id=("mx.example",)))
    return [one for one in step.plan(view, tools) if isinstance(one, Fact)]


@pytest.mark.parametrize("word", ["authenticate", "spam"])
@pytest.mark.parametrize(("peer", "protocol", "hosts"), FROM_US)
def test_what_a_host_of_ours_wrote_is_believed(word: str, peer: str, protocol: str, hosts: tuple[str, ...]) -> None:
    assert len(facts(word, peer, protocol, hosts)) == 1


@pytest.mark.parametrize("word", ["authenticate", "spam"])
@pytest.mark.parametrize(("peer", "protocol", "hosts"), FROM_OUTSIDE)
def test_what_a_stranger_hands_to_our_listener_is_not(
    word: str, peer: str, protocol: str, hosts: tuple[str, ...]
) -> None:
    assert facts(word, peer, protocol, hosts) == []
