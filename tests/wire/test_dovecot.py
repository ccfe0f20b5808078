"""The server that these tests talk to is the one that they think it is."""

import imaplib
import poplib
import ssl

import pytest

from servers.dovecot import PASSWORD, Dovecot, token


def test_it_keeps_what_is_appended(dovecot: Dovecot, user: str) -> None:
    dovecot.append(user, b"Subject: one\r\n\r\nbody\r\n", flags=r"(\Seen)", date='"01-Feb-2024 03:04:05 +0000"')
    with dovecot.client(user) as client:
        _, found = client.uid("FETCH", "1:*", "(FLAGS INTERNALDATE BODY.PEEK[])")
    assert b"01-Feb-2024" in found[0][0]
    assert b"Subject: one" in found[0][1]
    assert dovecot.maildir(user).is_dir()


def test_it_refuses_a_wrong_password(dovecot: Dovecot, user: str) -> None:
    client = imaplib.IMAP4("127.0.0.1", dovecot.imap)
    with pytest.raises(imaplib.IMAP4.error):
        client.login(user, "wrong")
    client.shutdown()


def test_the_tls_ports_show_the_certificate_that_stands_beside_it(dovecot: Dovecot, user: str) -> None:
    context = ssl.create_default_context(cafile=str(dovecot.ca))
    with imaplib.IMAP4_SSL("127.0.0.1", dovecot.imaps, ssl_context=context) as client:
        client.login(user, PASSWORD)
    pop = poplib.POP3_SSL("localhost", dovecot.pop3s, context=context)
    pop.user(user)
    pop.pass_(PASSWORD)
    assert pop.quit().startswith(b"+OK")


def test_it_takes_access_tokens(dovecot: Dovecot, user: str) -> None:
    with imaplib.IMAP4("127.0.0.1", dovecot.imap) as client:
        answer = client.authenticate("XOAUTH2", lambda _: f"user={user}\1auth=Bearer {token(user)}\1\1".encode())
    assert answer[0] == "OK"


def test_the_poor_one_can_nothing_beyond_imap4rev1(poor_dovecot: Dovecot, user: str) -> None:
    with poor_dovecot.client(user) as client:
        assert client.capability() == ("OK", [b"IMAP4rev1"])
