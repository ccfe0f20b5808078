"""Clients that others wrote: Python's smtplib and Postfix's smtp-source."""

import shutil
import smtplib
import subprocess
from collections.abc import Sequence
from email.message import EmailMessage

import pytest

SOURCE = shutil.which("smtp-source", path="/usr/sbin:/usr/bin:/sbin")


def source(*options: str) -> None:
    if SOURCE is None:
        pytest.fail("smtp-source is missing: apt-get install postfix (nothing of it is started)")
    done = subprocess.run([SOURCE, *options], capture_output=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("speaking", [["-L"], []], ids=["LMTP", "SMTP"])
@pytest.mark.parametrize("size", ["500", "200000"], ids=["in memory", "in the spool"])
def test_postfix_smtp_source_delivers_over_several_sessions(posts, desk, speaking: Sequence[str], size: str) -> None:
    post = posts("lmtp://127.0.0.1:0" if speaking else "smtp://127.0.0.1:0")
    source(*speaking, "-s", "5", "-m", "40", "-l", size, "-f", "bob@example.org", "-t", "ann@example.com",
           f"inet:127.0.0.1:{post.listener.port}")  # fmt: skip
    rows = desk.rows()
    assert len(rows) == 40
    assert {row.recipients for row in rows} == {("ann@example.com",)}
    assert all(desk.bytes_of(row).endswith(b"\r\n") for row in rows)


def test_postfix_smtp_source_gets_a_reply_for_each_of_its_recipients(posts, desk, tmp_path) -> None:
    posts(f"lmtp+unix:{tmp_path}/lmtp.sock")
    source("-L", "-m", "10", "-r", "7", "-f", "bob@example.org", "-t", "ann@example.com", f"unix:{tmp_path}/lmtp.sock")
    assert len(desk.rows()) == 70


def test_smtplib_sends_a_message_in_smtp(posts, desk) -> None:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "bob@example.org", "ann@example.com", "Lunch"
    message.set_content("A line\n.a dot in front\n.\n" + "x" * 5000 + "\n", cte="8bit")
    with smtplib.SMTP("127.0.0.1", posts("smtp://127.0.0.1:0").listener.port, timeout=60) as client:
        assert client.send_message(message) == {}
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            client.sendmail("bob@example.org", ["nobody@example.net"], b"x")
    [row] = desk.rows()
    assert b"\r\n.a dot in front\r\n.\r\nxxxxx" in desk.bytes_of(row)


def test_smtplib_starts_tls(posts, desk, certificate) -> None:
    import ssl

    context = ssl.create_default_context(cafile=certificate["tls-certificate"])
    context.check_hostname = False
    with smtplib.SMTP("127.0.0.1", posts("smtp://127.0.0.1:0", **certificate).listener.port, timeout=60) as client:
        client.starttls(context=context)
        assert client.sendmail("bob@example.org", ["ann@example.com"], b"Subject: x\r\n\r\n" + b"y" * 300_000) == {}
    assert b"with ESMTPS id" in desk.rows()[0].prefix


def test_smtplib_speaks_lmtp_over_a_unix_socket(posts, desk, tmp_path) -> None:
    posts(f"lmtp+unix:{tmp_path}/lmtp.sock")
    with smtplib.LMTP(f"{tmp_path}/lmtp.sock", timeout=60) as client:
        assert client.sendmail("bob@example.org", ["ann@example.com"], b"Subject: x\r\n\r\ny") == {}
    assert len(desk.rows()) == 1
