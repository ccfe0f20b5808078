"""The servers of postroom.yaml: what is accepted, what is told of the rest, and the terms that transports get."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from postroom import testing
from postroom.app import Forgetful, make_tools
from postroom.errors import Temporary
from postroom.message import parse
from postroom.servers import Servers, make_resolver
from postroom.transports.mx import MxTransport
from postroom.transports.outbox import Outbox
from postroom.transports.smtp.transport import SmtpTransport
from signing import rsa

if TYPE_CHECKING:
    from tests.unit.settings.conftest import Site

STDIN = 'mailboxes: {stdin: {url: "stdin:", pipeline: main, store: mail}}\n'
FORWARD = "rules: [{name: all, do: {forward: bob@example.net}}]\n"


def servers(site: "Site", **known: object) -> Servers:
    return Servers(site.write(f"{STDIN}servers: {json.dumps(known)}\n").settings(), Forgetful().spend)


@pytest.mark.parametrize(
    ("url", "port", "encryption", "lmtp"),
    [
        ("smtp://mail.example.com", 587, "starttls", False),
        ("smtps://mail.example.com", 465, "implicit", False),
        ("smtp://mail.example.com:2525", 2525, "starttls", False),
        ("lmtp://mail.example.com", 24, "starttls", True),
    ],
)
def test_tls_is_required_by_default(site: "Site", url: str, port: int, encryption: str, lmtp: bool) -> None:
    way = servers(site, relay={"url": url})["relay"]
    assert isinstance(way, SmtpTransport)
    terms = way.terms
    assert (terms.host, terms.port, terms.encryption, terms.lmtp) == ("mail.example.com", port, encryption, lmtp)
    assert terms.credentials is None


def test_the_answer_to_a_whole_message_is_waited_for_ten_minutes(site: "Site") -> None:
    """Whoever gives up earlier sends again what was taken (RFC 5321 4.5.3.2.6)."""
    way = servers(site, relay={"url": "smtp://mail.example.com", "timeout": "5s"})["relay"]
    assert isinstance(way, SmtpTransport)
    assert (way.terms.timeout, way.terms.final) == (5, 600)


def test_a_user_logs_in_with_a_secret_that_is_fetched_when_it_is_needed(site: "Site") -> None:
    relay = {"url": "smtp://out%40x@mail.example.com", "password-file": "secret"}
    way = servers(site, relay=relay)["relay"]
    assert isinstance(way, SmtpTransport)
    credentials = way.terms.credentials
    assert credentials is not None
    assert credentials.user == "out@x"
    with pytest.raises(Temporary):
        credentials.secret()
    (site.root / "secret").write_text("geheim\n")
    assert credentials.secret() == "geheim"
    assert "geheim" not in repr(way)


def test_sockets_outboxes_and_exchangers(site: "Site") -> None:
    known = servers(
        site,
        local={"url": "lmtp+unix:run/lmtp"},
        trial={"url": "maildir:outbox"},
        direct={"url": "mx:", "tls": "required"},
    )
    local, trial, direct = known["local"], known["trial"], known["direct"]
    assert isinstance(local, SmtpTransport)
    assert (local.terms.path, local.terms.encryption) == (site.root / "run/lmtp", "none")
    assert isinstance(trial, Outbox)
    assert trial.directory == site.root / "outbox"
    assert isinstance(direct, MxTransport)
    assert (direct.terms.encryption, direct.allow_private) == ("starttls", False)


def test_a_server_that_is_no_longer_named_may_come_back(site: "Site") -> None:
    with pytest.raises(Temporary, match="any more"):
        servers(site)["gone"]


def test_a_transport_is_made_once(site: "Site") -> None:
    known = servers(site, relay={"url": "smtp://mail.example.com"})
    assert known["relay"] is known["relay"]


@pytest.mark.parametrize(
    ("server", "told"),
    [
        ("{url: smtp://u:secret@x.example}", "does not belong into the URL"),
        ("{url: ftp://x.example}", "must be smtp://HOST"),
        ("{url: lmtp://x.example:25}", "never spoken on port 25"),
        ("{url: smtp://x.example, tls: off}", "loopback"),
        ("{url: smtps://127.0.0.1, tls: off}", "contradicts"),
        ("{url: smtp://u@x.example}", "no password"),
        ("{url: smtp://x.example, password: x}", "names no user"),
        ("{url: smtp://u@x.example, auth: xoauth2, password: x}", "token"),
        ("{url: smtp://u@x.example, token-file: x}", "xoauth2"),
        ("{url: smtp://x.example/path}", "must be smtp://HOST"),
        ('{url: "mx:", user: me}', "unknown key"),
        ('{url: "mx:x"}', "alone"),
        ("{url: smtp://x.example, conections: 3}", "did you mean `connections`"),
        ("{url: smtp://x.example, uncertain: drop}", "retry"),
    ],
)
def test_what_is_wrong_with_a_server_is_told(site: "Site", server: str, told: str) -> None:
    [problem] = site.write(f"{STDIN}servers:\n  relay: {server}\n").told()
    assert problem.startswith("3:")
    assert told in problem
    assert "secret@" not in problem


def test_steps_use_the_default_server(site: "Site") -> None:
    site.write(f"{STDIN}servers: {{relay: {{url: smtp://x.example}}}}\ndefaults: {{server: relay}}\n")
    site.pipeline("main", FORWARD)
    assert site.reviewed() == []


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ("", "names no `server`, and postroom.yaml has no `defaults: {server: …}`"),
        ("servers: {relais: {url: smtp://x.example}}\ndefaults: {server: relay}\n", "did you mean `relais`"),
    ],
)
def test_a_server_that_is_not_there_is_told(site: "Site", settings: str, told: str) -> None:
    [problem] = site.write(STDIN + settings).pipeline("main", FORWARD).reviewed()
    assert told in problem


@pytest.mark.parametrize(
    ("servers", "expected"),
    [
        ("127.0.0.1", [("127.0.0.1", 53)]),
        ("127.0.0.1:5353", [("127.0.0.1", 5353)]),
        ("::1", [("::1", 53)]),
        ("[::1]:54", [("::1", 54)]),
    ],
)
def test_a_dns_server_is_an_address_with_or_without_a_port(
    site: "Site", servers: str, expected: list[tuple[str, int]]
) -> None:
    settings = site.write(f'{STDIN}resolver: {{servers: ["{servers}"]}}\n').settings()
    assert [*make_resolver(settings).servers] == expected


def test_a_dns_server_has_no_name(site: "Site") -> None:
    [problem] = site.write(f"{STDIN}resolver: {{servers: [dns.example.com]}}\n").told()
    assert "must be an address" in problem


def test_secrets_of_srs_stand_a_line_each(site: "Site", tmp_path: Path) -> None:
    settings = site.write(f"{STDIN}srs: {{domain: ours.example, secret-file: srs}}\n").settings()
    tools = make_tools(settings, tmp_path, Forgetful())
    assert tools.srs is not None
    with pytest.raises(Temporary):
        tools.srs.rewritten("ann@example.org", tools.clock())
    (site.root / "srs").write_text("\n")
    with pytest.raises(Temporary, match="no secret"):
        tools.srs.rewritten("ann@example.org", tools.clock())
    (site.root / "srs").write_text("old\n")
    made = tools.srs.rewritten("ann@example.org", tools.clock())
    (site.root / "srs").write_text("new\nold\n")
    assert tools.srs.reversed(made, tools.clock()) == "ann@example.org"


def test_the_key_of_arc_is_read_when_a_message_is_sealed(site: "Site", tmp_path: Path) -> None:
    settings = site.write(f"{STDIN}arc: {{domain: Ours.example, selector: a, key-file: arc.pem}}\n").settings()
    tools = make_tools(settings, tmp_path, Forgetful())
    assert tools.arc is not None
    letter = parse(testing.message())
    with pytest.raises(Temporary):
        tools.arc.sealed(letter, letter, None, testing.Names(), testing.NOW)
    (site.root / "arc.pem").write_text("secret\n")
    with pytest.raises(Temporary, match="no private key") as raised:
        tools.arc.sealed(letter, letter, None, testing.Names(), testing.NOW)
    assert "secret" not in str(raised.value)
    pem = rsa().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (site.root / "arc.pem").write_bytes(pem)
    assert b"d=ours.example; s=a;" in tools.arc.sealed(letter, letter, None, testing.Names(), testing.NOW)


@pytest.mark.parametrize("given", [True, False])
def test_a_step_that_seals_needs_a_key(site: "Site", *, given: bool) -> None:
    arc = "arc: {domain: ours.example, selector: a, key-file: arc.pem}\n" if given else ""
    site.write(f"{STDIN}servers: {{relay: {{url: smtp://x.example}}}}\n{arc}")
    rule = "{forward: {to: a@example.com, server: relay, arc: true}}"
    site.pipeline("main", f"rules: [{{name: all, do: [{rule}]}}]\n")
    told = site.reviewed()
    assert len(told) == (not given)
    assert all("needs `arc` in postroom.yaml" in one for one in told)


def test_nothing_is_written_to_look_for_marks_of_ours(site: "Site", tmp_path: Path) -> None:
    tools = make_tools(site.settings(), tmp_path / "state", Forgetful())
    assert not tools.seal.verify("text", "0" * 32)
    assert not (tmp_path / "state").exists()
    assert tools.seal.verify("text", tools.seal.sign("text"))
