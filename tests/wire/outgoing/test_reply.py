"""Automatic answers of `postroom filter` through a server, and what answers them."""

from dataclasses import dataclass, replace
from email.utils import formatdate
from pathlib import Path

from ledgers import asked
from postroom.message import parse
from servers.smtp import Smtp
from waiting import until
from wire.outgoing.conftest import Site

REPLY = [{"reply": {"text": "I am away.", "server": "relay"}}]


@dataclass
class Person(Site):
    """A site that answers for one address; `sender`: of the envelope that comes in."""

    address: str = "you@home.example"
    sender: str = "jane@home.example"

    @property
    def environment(self) -> dict[str, str]:
        return super().environment | {"SENDER": self.sender, "RECIPIENT": self.address}


def person(root: Path, server: Smtp, address: str = "you@home.example") -> Person:
    root.mkdir(exist_ok=True)
    made = Person(root, address=address)
    made.write(server.port, REPLY, defaults={"server": "relay"})
    return made


def letter(number: int = 1, **headers: str) -> bytes:
    fields = {"From": "jane@home.example", "To": "you@home.example", "Date": formatdate(), "Subject": "Sunday"}
    fields |= {"Message-ID": f"<{number}@home.example>"} | headers
    return ("".join(f"{name}: {value}\n" for name, value in fields.items()) + "\nLunch?\n").encode()


def test_an_answer_goes_out_once_and_the_message_is_kept(tmp_path: Path, server: Smtp) -> None:
    you = person(tmp_path, server)
    for number in (1, 2):
        done = you.filter(letter(number))
        assert (done.returncode, done.stderr) == (0, b"")
    [got] = server.received
    assert (got.sender, got.recipients) == ("", ["jane@home.example"])
    made = parse(got.content)
    assert (made.text, made.subject, made.in_reply_to) == ("I am away.\n", "Automatic reply", ("<1@home.example>",))
    assert [one.spec for one in made.from_] == ["you@home.example"]
    assert made.is_auto_submitted
    assert you.kept == 2
    [(trace,)] = asked(tmp_path / "state/ledger.db", "SELECT plan FROM message WHERE id = 2")
    assert "not answered: its sender got an answer lately" in str(trace)


def test_a_vacation_against_a_vacation_stops(tmp_path: Path, server: Smtp) -> None:
    """What the answer meets at the other side: once as it is, once from a server that lost its envelope."""
    here = person(tmp_path / "here", server)
    there = person(tmp_path / "there", server, "jane@home.example")
    assert here.filter(letter()).returncode == 0
    [answer] = server.received
    for sender in (answer.sender, "you@home.example"):
        assert replace(there, sender=sender).filter(answer.content).returncode == 0
    assert len(server.received) == 1
    explained = tmp_path / "answer.eml"
    explained.write_bytes(answer.content)
    assert (
        b"not answered: it was sent by a program"
        in there.run(
            "explain", "--sender", "you@home.example", "--recipient", "jane@home.example", str(explained)
        ).stdout
    )


def test_a_process_killed_while_it_answers_does_not_answer_twice(tmp_path: Path, server: Smtp) -> None:
    you = person(tmp_path, server)
    server.silent.add(".")
    process = you.begin(letter())
    until(lambda: server.received)
    process.kill()
    process.wait(60)
    server.silent.clear()
    assert you.filter(letter()).returncode == 0
    assert len(server.received) == 1
    assert you.kept == 1
