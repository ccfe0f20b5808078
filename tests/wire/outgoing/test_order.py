"""In a batch, mail to a server that is still to be reached holds up no mail to others."""

import threading

import pytest

from postroom.ledger import Query, State
from postroom.testing import message
from servers.smtp import Smtp
from waiting import until
from wire.outgoing.relays import Relay


@pytest.fixture
def rules() -> object:
    def to(server: str) -> dict[str, object]:
        forward = {"to": "bob@example.net", "server": server, "on-dmarc-fail": "send"}
        return {"name": server, "when": {"subject": server}, "do": [{"forward": forward}, "discard"]}

    return [to("inside"), to("relay")]


@pytest.fixture
def patience() -> float:
    return 30


def letters(*subjects: str) -> list[bytes]:
    return [message(subject=each, message_id=f"<{number}@x.example>") for number, each in enumerate(subjects)]


@pytest.mark.parametrize("before", [[message(subject="relay")], []], ids=["one is up", "all are called now"])
def test_mail_to_a_server_that_hangs_comes_last(relay: Relay, server: Smtp, inside: Smtp, before: list[bytes]) -> None:
    relay.take_all(before)
    inside.silent.add("greeting")
    batch = threading.Thread(target=relay.take_all, args=[letters("inside", *["relay"] * 40)])
    batch.start()
    until(lambda: len(server.received) == 40 + len(before))
    assert batch.is_alive()
    inside.silent.clear()
    batch.join()
    assert (len(inside.received), inside.connections) == (1, 1)
    assert {row.state for row in relay.ledger.find(Query(limit=100))} == {State.SETTLED}
