"""Who the server is, and who we are: TLS and login."""

import base64
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from postroom.errors import Permanent, Temporary
from postroom.transports.smtp.terms import Credentials
from servers.authority import self_signed
from servers.smtp import PASSWORD, USER, Smtp, serving
from wire.outgoing.mails import mail, only, transport


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("keys")
    self_signed(directory, "IP:127.0.0.1")
    return directory


# TLS (RFC 3207).


@pytest.fixture
def secure(keys: Path) -> Iterator[Smtp]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(keys / "cert.pem", keys / "key.pem")
    with serving(tls=context) as made:
        yield made


def test_starttls_is_verified_and_asks_again_what_is_offered(secure: Smtp, keys: Path) -> None:
    reply = only(transport(secure, encryption="starttls", ca=keys / "cert.pem").send(mail()))
    assert reply.tls == "verified"
    assert secure.commands[:3] == ["EHLO localhost", "STARTTLS", "EHLO localhost"]


@pytest.mark.parametrize(
    "break_it",
    [
        lambda server: setattr(server, "tls", None),
        lambda server: server.answers.update({"STARTTLS": "454 4.7.0 not now"}),
        lambda server: server.answers.update({"STARTTLS": "502 5.5.1 no"}),
        lambda server: setattr(server, "injected", "250 2.0.0 ok\r\n"),
        lambda server: server.lost.add("STARTTLS"),
    ],
    ids=["stripped", "454", "502", "injected", "lost"],
)
def test_a_message_never_goes_out_in_clear_text(secure: Smtp, keys: Path, break_it: Callable[[Smtp], None]) -> None:
    break_it(secure)
    with pytest.raises(Temporary):
        transport(secure, encryption="starttls", ca=keys / "cert.pem").send(mail())
    assert not any(one.startswith(("MAIL", "AUTH")) for one in secure.commands)


def test_tls_from_the_first_octet_is_verified(secure: Smtp, keys: Path) -> None:
    secure.implicit = True
    assert only(transport(secure, encryption="implicit", ca=keys / "cert.pem").send(mail())).tls == "verified"
    with pytest.raises(Temporary, match="not trusted"):
        transport(secure, encryption="implicit").send(mail())
    assert len(secure.received) == 1


@pytest.mark.parametrize("encryption", ["implicit", "starttls"])
def test_what_is_no_tls_is_temporary(server: Smtp, encryption: str) -> None:
    """A server that says that it begins, and goes on in clear text."""
    server.extensions = ("STARTTLS",)
    server.answers["STARTTLS"] = "220 go on"
    with pytest.raises(Temporary):
        transport(server, encryption=encryption, timeout=1.0).send(mail())
    assert server.received == []


def test_a_certificate_of_nobody_is_not_trusted(secure: Smtp) -> None:
    with pytest.raises(Temporary, match="not trusted"):
        transport(secure, encryption="starttls").send(mail())


# Logging in.


def login(mechanism: str = "auto", secret: str = PASSWORD) -> Any:
    return Credentials(user=USER, mechanism=mechanism, secret=lambda: secret)  # type: ignore[arg-type]


@pytest.mark.parametrize("mechanism", ["plain", "login", "scram-sha-256", "xoauth2"])
@pytest.mark.parametrize("secret", [PASSWORD, "wrong"])
def test_logging_in(server: Smtp, mechanism: str, secret: str) -> None:
    server.extensions = ("AUTH PLAIN LOGIN SCRAM-SHA-256 XOAUTH2",)
    way = transport(server, credentials=login(mechanism, secret))
    if secret == PASSWORD:
        assert only(way.send(mail())).verdict == "done"
    else:
        with pytest.raises(Temporary, match="refused"):
            way.send(mail())
    assert server.logins == [mechanism.upper()]


@pytest.mark.parametrize(
    "said",
    [
        PASSWORD,
        f"what is {PASSWORD}?",
        base64.b64encode(PASSWORD.encode()).decode(),
        base64.b64encode(f"\0{USER}\0{PASSWORD}".encode()).decode(),
        "x" * 295 + PASSWORD,
    ],
    ids=["it alone", "as it is", "in base64", "as PLAIN", "cut off"],
)
def test_a_server_that_says_our_password_again_does_not_put_it_into_the_log(server: Smtp, said: str) -> None:
    server.extensions = ("AUTH PLAIN",)
    server.answers["AUTH"] = f"535 5.7.8 {said}"
    with pytest.raises(Temporary, match="the login is refused: 535") as caught:
        transport(server, credentials=login()).send(mail())
    told = str(caught.value)
    assert PASSWORD[:5] not in told
    assert base64.b64encode(PASSWORD.encode()).decode()[:6] not in told
    assert base64.b64encode(f"\0{USER}\0{PASSWORD}".encode()).decode()[:6] not in told


def test_a_token_that_expires_in_the_middle_of_a_run_is_fetched_anew_and_nothing_is_lost(server: Smtp) -> None:
    """Sessions of before go on; the next one brings the token of now."""
    server.extensions = ("AUTH XOAUTH2",)
    tokens = iter([PASSWORD, "expired", PASSWORD])
    credentials = Credentials(user=USER, mechanism="xoauth2", secret=lambda: next(tokens))
    way = transport(server, credentials=credentials)
    for _ in range(3):
        assert only(way.send(mail())).verdict == "done"
    assert len(server.logins) == 1
    server.lost.add("MAIL")  # it ends what is logged in with an old token
    with pytest.raises(Temporary, match="the login is refused"):
        way.send(mail())
    server.lost.clear()
    end = time.monotonic() + 60
    while len(server.received) < 4:
        assert time.monotonic() < end
        try:
            way.send(mail())
        except Temporary:  # it is left alone for a while
            time.sleep(0.1)
    assert len(server.logins) == 3


@pytest.mark.parametrize("reason", ["the secret command mint failed: it took too long", "the secret is empty"])
def test_a_token_that_cannot_be_had_is_temporary_and_says_why(server: Smtp, reason: str) -> None:
    server.extensions = ("AUTH XOAUTH2",)

    def secret() -> str:
        raise Temporary(reason)

    way = transport(server, credentials=Credentials(user=USER, mechanism="xoauth2", secret=secret))
    with pytest.raises(Temporary, match=reason):
        way.send(mail())
    assert not any(one.startswith("AUTH") for one in server.commands)


@pytest.mark.parametrize("secret", ["one\nQUIT", "two\rlines", "nul\0", "a\x01b"])
@pytest.mark.parametrize("mechanism", ["plain", "login", "scram-sha-256", "xoauth2"])
def test_a_secret_that_is_more_than_one_line_is_never_sent(server: Smtp, mechanism: str, secret: str) -> None:
    server.extensions = ("AUTH PLAIN LOGIN SCRAM-SHA-256 XOAUTH2",)
    with pytest.raises(Temporary, match="holds a control character"):
        transport(server, credentials=login(mechanism, secret)).send(mail())
    assert server.logins == []


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [("PLAIN LOGIN SCRAM-SHA-256", "SCRAM-SHA-256"), ("login plain", "PLAIN"), ("LOGIN", "LOGIN")],
)
def test_the_best_way_to_log_in_is_chosen(server: Smtp, offered: str, chosen: str) -> None:
    server.extensions = (f"AUTH {offered}",)
    transport(server, credentials=login()).send(mail())
    assert server.logins == [chosen]


def test_a_server_where_nobody_can_log_in_is_temporary(server: Smtp) -> None:
    with pytest.raises(Temporary, match="does not offer"):
        transport(server, credentials=login()).send(mail())


def test_a_refusal_for_good_is_permanent(server: Smtp) -> None:
    server.answers["RCPT"] = "550 5.1.1 nobody"
    with pytest.raises(Permanent, match=r"550 5\.1\.1 nobody"):
        only(transport(server).send(mail())).check()
