"""Messages that come in by `postroom filter` and go out to a server, and what becomes of them in the ledger."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from servers.dns import Dns
from servers.sink import Sink
from servers.smtp import Smtp
from waiting import until
from wire.outgoing.conftest import MESSAGE, Site

FORWARD = [{"forward": "bob@example.net"}, "discard"]


def test_a_message_is_forwarded_and_its_queue_id_is_kept(site: Site, server: Smtp) -> None:
    site.write(server.port, FORWARD)
    done = site.filter()
    assert (done.returncode, done.stderr) == (0, b"")
    [got] = server.received
    assert (got.sender, got.recipients) == ("jane@home.example", ["bob@example.net"])
    assert got.content.endswith(MESSAGE.replace(b"\n", b"\r\n"))
    assert "4F1B2C" in site.shown()
    assert site.kept == 0


def test_real_servers_take_it(site: Site, make_sink: Callable[..., AbstractContextManager[Sink]]) -> None:
    with make_sink() as sink:
        site.write(sink.port, FORWARD)
        assert site.filter().returncode == 0
        [message] = sink.messages
        assert b"X-Mail-Args: <jane@home.example>" in message
        assert b"X-Rcpt-Args: <bob@example.net>" in message
        assert message.rstrip(b"\n").endswith(MESSAGE.rstrip(b"\n"))


@pytest.mark.parametrize(
    ("faults", "status"),
    [
        (["-f", "RCPT"], 0),
        (["-f", "."], 0),
        (["-r", "RCPT"], 75),
        (["-r", "MAIL"], 75),
        (["-Q", "DATA"], 75),
        (["-q", "RCPT"], 75),
        (["-q", "CONNECT"], 75),
        (["-q", "."], 75),
        (["-A", "0"], 0),
        (["-e"], 0),
        (["-p", "-E", "-N"], 0),
        (["-P"], 0),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else str(value),
)
def test_faults_of_a_real_server(
    site: Site, make_sink: Callable[..., AbstractContextManager[Sink]], faults: list[str], status: int
) -> None:
    """0: sent, or refused for good and then kept; 75: the caller offers it again."""
    with make_sink(*faults) as sink:
        site.write(sink.port, FORWARD)
        assert site.filter().returncode == status
        sent = status == 0 and faults[0] not in ("-f", "-A")
        assert len(sink.messages) >= sent
        assert site.kept == (status == 0 and not sent)


def test_a_refusal_for_good_keeps_the_message_whatever_the_rules_say(site: Site, server: Smtp) -> None:
    server.answers["RCPT"] = "550 5.1.1 <bob@example.net>: nobody of this name"
    site.write(server.port, FORWARD)
    assert site.filter().returncode == 0
    assert site.kept == 1
    assert "550 5.1.1 <…>: nobody of this name" in site.shown()


@pytest.mark.parametrize(
    "do",
    [FORWARD, [{"forward": "bob@example.net"}, {"move": "Elsewhere"}]],
    ids=["nothing to keep", "a place of its own"],
)
def test_what_was_kept_is_kept_once_however_often_the_rules_decide_anew(site: Site, server: Smtp, do: object) -> None:
    server.answers["RCPT"] = "550 5.1.1 nobody"
    site.write(server.port, do)
    assert site.filter().returncode == 0
    kept = sorted((site.root / "mail").glob("**/new/*"))
    for _ in range(3):
        site.run("replay", "1", "--plan-again")
        assert "state     dead, " in site.shown()
    server.answers.clear()
    site.run("replay", "1", "--plan-again")
    assert "state     settled, " in site.shown()
    assert len(server.received) == 1
    assert sorted((site.root / "mail").glob("**/new/*")) == kept


def test_one_recipients_trouble_does_not_repeat_the_others(site: Site, server: Smtp) -> None:
    """SEMANTICS 44: recipients are effects of their own."""
    server.answers["RCPT TO:<later@"] = "451 4.2.1 busy"
    site.write(server.port, [{"forward": ["now@example.net", "later@example.net"]}, "discard"])
    assert site.filter().returncode == 75
    server.answers.clear()
    assert site.filter().returncode == 0
    assert [one.recipients for one in server.received] == [["now@example.net"], ["later@example.net"]]


def test_an_answer_lost_after_the_final_dot_is_tried_again(site: Site, server: Smtp) -> None:
    """SEMANTICS 13: it may be sent more than once."""
    server.lost.add(".")
    site.write(server.port, FORWARD)
    assert site.filter().returncode == 75
    assert "it may have been delivered" in site.shown()
    server.lost.clear()
    assert site.filter().returncode == 0
    first, second = server.received
    assert first.content.split(b"\r\n")[0].partition(b";")[0] == second.content.split(b"\r\n")[0].partition(b";")[0]


def test_an_answer_lost_after_the_final_dot_is_held_where_the_operator_wants_it(site: Site, server: Smtp) -> None:
    server.lost.add(".")
    site.write(server.port, FORWARD, relay={"uncertain": "hold"})
    assert site.filter().returncode == 0
    assert (site.kept, len(server.received)) == (1, 1)
    server.lost.clear()
    assert site.run("replay", "1").returncode == 0  # a person has looked
    assert len(server.received) == 2


@pytest.mark.parametrize("policy", ["retry", "hold"])
def test_a_process_killed_while_it_waits_for_the_last_answer(site: Site, server: Smtp, policy: str) -> None:
    server.silent.add(".")
    site.write(server.port, FORWARD, relay={"uncertain": policy})
    process = site.begin()
    until(lambda: server.received)
    process.kill()
    process.wait(60)
    server.silent.clear()
    until(lambda: "DATA" in server.commands)
    before = len(server.received)
    assert site.filter().returncode == 0
    assert len(server.received) - before == (policy == "retry")
    assert site.kept == (policy == "hold")


def test_two_sites_that_forward_to_each_other_stop(tmp_path: Path, server: Smtp, dns: Dns) -> None:
    here, there = Site(tmp_path / "here", dns.port), Site(tmp_path / "there", dns.port)
    for site, other in ((here, "there@b.example"), (there, "here@a.example")):
        site.root.mkdir()
        site.write(server.port, [{"forward": other}])
    rounds, content, at = 0, MESSAGE, here
    while True:
        assert at.filter(content).returncode == 0
        if len(server.received) == rounds:
            break
        rounds, content = rounds + 1, server.received[-1].content
        at = there if at is here else here
        assert rounds < 10
    assert rounds == 2
    explained = at.root / "looping.eml"
    explained.write_bytes(content)
    assert b"it has been forwarded to this recipient already" in at.run("explain", str(explained)).stdout


def test_explain_opens_no_connection(site: Site, server: Smtp, tmp_path: Path) -> None:
    site.write(server.port, FORWARD)
    (tmp_path / "message.eml").write_bytes(MESSAGE)
    assert b"forward bob@example.net" in site.run("explain", str(tmp_path / "message.eml")).stdout
    assert server.connections == 0


def test_what_an_outbox_takes_lies_in_a_maildir(site: Site) -> None:
    site.write(1, FORWARD, servers={"relay": {"url": "maildir:outbox"}})
    assert site.filter().returncode == 0
    [file] = (site.root / "outbox" / "new").iterdir()
    assert file.read_bytes().startswith(b"Return-Path: <jane@home.example>\r\nX-Original-To: bob@example.net\r\n")


def test_a_rate_is_kept_over_processes(site: Site, server: Smtp) -> None:
    site.write(server.port, FORWARD, relay={"per-minute": 1})
    assert site.filter().returncode == 0
    assert site.filter(MESSAGE.replace(b"sunday@", b"monday@")).returncode == 75
    assert len(server.received) == 1


def test_a_token_is_fetched_from_a_program_each_time(site: Site, server: Smtp, tmp_path: Path) -> None:
    server.extensions = ("AUTH XOAUTH2",)
    token = tmp_path / "token"
    token.write_text("old")
    relay = {"user": "out", "auth": "xoauth2", "token-command": ["cat", str(token)]}
    site.write(server.port, FORWARD, relay=relay)
    assert site.filter().returncode == 75
    assert "old" not in site.shown()
    token.write_text("geheim")
    assert site.filter().returncode == 0
    assert (server.logins, len(server.received)) == (["XOAUTH2", "XOAUTH2"], 1)
