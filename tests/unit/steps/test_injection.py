"""What a stranger writes becomes no line of what we write: no field, no end of a header, no command, no option.

Every message of ours is made of a message that tries it in every field and in every spelling, and then read as the most
lenient server would: CR and LF alone end lines, too.
"""

import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from postroom import steps, testing
from postroom.message import parse
from postroom.pipeline.outcome import Effect
from postroom.steps.alignment import rewritten
from postroom.steps.bounce import BounceEffect, Failure
from postroom.steps.payload import attached
from postroom.transports.smtp.content import canonical
from servers.web import serving

EVIL = "x{0}Bcc: evil@example.net{0}{0}evil"
SPELLED = {
    "encoded": "=?utf-8?q?x=0D=0ABcc=3A_evil=40example=2Enet=0D=0A=0D=0Aevil?=",
    "base64": "=?utf-8?b?eA0KQmNjOiBldmlsQGV4YW1wbGUubmV0DQoNCmV2aWw=?=",
    "encoded CR": "=?utf-8?q?x=0DBcc=3A_evil=40example=2Enet=0D=0Devil?=",
    "encoded LF": "=?utf-8?q?x=0ABcc=3A_evil=40example=2Enet=0A=0Aevil?=",
    "encoded NEL": "=?utf-8?q?x=C2=85Bcc=3A_evil=C2=85=C2=85evil?=",
    "UTF-16": "=?utf-16?b?/v8AeAANAAoAQgBjAGMAOgAgAGUAdgBpAGw=?=",
    "CR": "x\rBcc: evil@example.net\rX-Evil: y",
    "VT": EVIL.format("\x0b"),
    "FF": EVIL.format("\x0c"),
    "NUL": EVIL.format("\0"),
    "NEL": EVIL.format("\x85"),
    "line separator": EVIL.format("\u2028"),
    "folded": "x\r\n Bcc: evil@example.net\r\n\t\r\n evil",
}
OURS = {
    "from", "to", "subject", "date", "message-id", "auto-submitted", "mime-version", "content-type", "received",
    "content-transfer-encoding", "content-disposition", "in-reply-to", "references", "x-postroom-trace", "resent-date",
    "resent-from", "resent-to", "resent-message-id", "x-auto-response-suppress", "reply-to",
}  # fmt: skip


def hostile(evil: str) -> bytes:
    """A message with this in all that we might take from it."""
    return (
        f'From: "{evil}" <ann@example.org>\r\nTo: bob@example.com, "{evil}" <b@example.com>\r\nSubject: {evil}\r\n'
        f"Date: {evil}\r\nMessage-ID: <a@b>{evil}\r\nIn-Reply-To: <c@d> {evil}\r\nReferences: <e@f> {evil} <g{evil}@h>\r\n"
        f"Reply-To: {evil}\r\nX-Postroom-Trace: 1 {evil}\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\n\r\nHi\r\n'
        f'--b\r\nContent-Type: text/x; name="{evil}"\r\nContent-Disposition: attachment; filename="{evil}"\r\n\r\ny\r\n'
        "--b\r\nContent-Type: text/plain\r\nContent-Disposition: attachment; "
        "filename*=utf-8''x%0D%0ABcc:%20evil%0D%0A%0D%0Aevil\r\n\r\nz\r\n--b--\r\n"
    ).encode()


@pytest.fixture(params=SPELLED.values(), ids=SPELLED.keys())
def raw(request: pytest.FixtureRequest) -> bytes:
    return hostile(request.param)


def names(octets: bytes) -> set[str]:
    """Of the fields of a header, to its first empty line."""
    found = []
    for line in re.split(rb"\r\n|[\r\n]", octets):
        if not line:
            break
        if not line.startswith((b" ", b"\t")):
            name, colon, _ = line.partition(b":")
            assert colon, f"no field: {line!r}"
            found.append(name.decode("ascii").lower())
    assert not re.search(rb"[\x0b\x0c\0]|\xc2\x85|\xe2\x80\xa8", octets.partition(b"\r\n\r\n")[0])
    assert len(found) == len(set(found)), f"twice: {found}"
    return set(found)


def sent(word: str, raw: bytes, **options: object) -> bytes:
    """What goes over the wire for one effect."""
    server = testing.Transport()
    tools = testing.tools(servers={"relay": server}, resolver=testing.Names)
    [effect] = steps.step(word).model_validate({"server": "relay", **options}).plan(testing.view(raw), tools)
    assert isinstance(effect, Effect), effect
    effect.perform(testing.letter(raw), tools)
    [mail] = server.sent
    assert not re.search(r"[\x00-\x20<>]", mail.sender + "".join(mail.recipients))
    return wired(mail.chunks)


def wired(chunks: Sequence[bytes | memoryview]) -> bytes:
    return b"".join(canonical(chunks))


FORWARD = {"to": "bob@example.net", "from": "us@example.com", "on-dmarc-fail": "send"}


@pytest.mark.parametrize("mode", ["attach", "inline"])
def test_a_message_of_ours_that_holds_another_has_our_fields_only(raw: bytes, mode: str) -> None:
    assert names(sent("forward", raw, **FORWARD, mode=mode)) <= OURS


def test_lines_of_ours_above_a_redirect_are_ours(raw: bytes) -> None:
    whole = sent("forward", raw, **FORWARD, resent=True)
    top = whole[: whole.index(b'From: "')]
    assert names(top) <= OURS - {"from", "to", "subject", "date"}
    assert whole[len(top) :] == wired([raw])


def test_a_rewritten_from_is_one_field(raw: bytes) -> None:
    made = bytes(rewritten(parse(raw), "us@example.com", "host.example").raw)
    [field] = parse(made).headers.fields("From")
    assert re.fullmatch(rb'From: "[^"\r\n\\]* via host\.example"(\r\n)? <us@example\.com>\r\n', field.raw) or (
        # Its name has to be encoded.
        re.fullmatch(rb"From:(\r\n)? =\?utf-8\?[!-~\r\n ]+ <us@example\.com>\r\n", field.raw)
    )
    assert names(bytes(field.raw)) == {"from"}
    assert made.endswith(raw[raw.index(b"\r\nTo:") :])


def test_an_answer_has_our_fields_only(raw: bytes) -> None:
    made = sent(
        "reply", raw, subject="{{ subject }} {{ from.name }}", text="{{ subject }}", html="<p>{{ subject }}</p>",
        addresses="bob@example.com",
    )  # fmt: skip
    assert names(made) <= OURS
    assert b"<p>" not in made or b"<p>x" in made


def test_a_report_to_the_sender_has_our_fields_only(raw: bytes) -> None:
    evil = SPELLED["CR"] + "\r\n" + SPELLED["encoded"]
    made = BounceEffect(
        to="ann@example.org",
        server="relay",
        failures=(Failure(recipient=evil, reason=f"550 5.1.1 {evil}\r\n\r\n{evil}"),),
    )
    whole = wired(made.report(testing.letter(raw), testing.tools()))
    assert names(whole) <= OURS
    boundary = re.search(rb'boundary="([^"]+)"', whole)
    assert boundary is not None
    parts = whole.split(b"--" + boundary[1])
    assert len(parts) == 5
    status = parts[2].partition(b"\r\n\r\n")[2]
    assert names(status) == {"reporting-mta", "arrival-date"}
    assert names(status.partition(b"\r\n\r\n")[2]) == {"final-recipient", "action", "status", "diagnostic-code"}


def test_a_form_and_its_headers_are_ours(raw: bytes, tmp_path: Path) -> None:
    with serving() as web:
        [effect] = (
            steps.step("webhook")
            .model_validate(
                {
                    "url": web.url("/{{ subject }}/{{ from.name }}?x={{ subject }}"),
                    "allow-private": True,
                    "send": "multipart",
                    "headers": {"X-Subject": "{{ subject }}", "X-Name": "{{ from.name }}"},
                }
            )
            .plan(testing.view(raw), testing.tools(tmp_path))
        )
        assert isinstance(effect, Effect)
        effect.perform(testing.letter(raw), testing.tools(tmp_path))
        [request] = web.requests
    assert set(request.headers) == {
        "host", "content-length", "content-type", "connection", "user-agent", "accept", "idempotency-key", "webhook-id",
        "webhook-timestamp", "x-subject", "x-name", "accept-encoding",
    } - {"accept-encoding"}  # fmt: skip
    assert re.fullmatch(r"/[^/?\s]*/[^/?\s]*\?x=[^&\s]*", request.path)
    boundary = request.headers["content-type"].partition("boundary=")[2].encode()
    heads = [part.removeprefix(b"\r\n") for part in request.body.split(b"--" + boundary)[1:-1]]
    assert len(heads) == 3
    assert all(names(head) == {"content-disposition", "content-type"} for head in heads)


def test_names_of_attachments_are_one_line(raw: bytes) -> None:
    found = list(attached(parse(raw)))
    assert len(found) == 2
    assert all(name.isprintable() and kind.isprintable() for name, kind, _ in found)


@pytest.mark.parametrize("word", ["notify", "reject"])
def test_one_line_stays_one(raw: bytes, word: str) -> None:
    options = {"secret": "bot", "title": "{{ subject }}"} if word == "notify" else {"text": "{{ subject }}"}
    [effect] = steps.step(word).model_validate(options).plan(testing.view(raw), testing.tools())
    line = getattr(effect, "title" if word == "notify" else "text")
    assert line.isprintable()


def test_an_argument_is_one_and_no_option(raw: bytes) -> None:
    command = ["/bin/true", "{{ subject }}", "{{ from.name }}", "--to={{ recipient }}"]
    [effect] = steps.step("exec").model_validate({"command": command}).plan(testing.view(raw), testing.tools())
    assert len(effect.command) == 4  # type: ignore[union-attr]  # it is the effect of `exec`
    assert all(one.isprintable() and not one.startswith("-") for one in effect.command[1:3])  # type: ignore[union-attr]
