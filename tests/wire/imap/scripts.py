"""What a scripted IMAP server says to a source: the usual, and whatever a test wants otherwise."""

import re
from collections.abc import Callable

from servers.liar import CAPABILITIES, Peer, Script

BODY = b"Subject: hello\r\n\r\nhello, this is the body\r\n"


def literal(uid: int, body: bytes = BODY) -> bytes:
    return b"* %d FETCH (UID %d BODY[] {%d}\r\n%s)" % (uid, uid, len(body), body)


def listed(uid: int, size: int = len(BODY)) -> str:
    return f"* {uid} FETCH (UID {uid} RFC822.SIZE {size} FLAGS ())"


async def serve(
    peer: Peer,
    answers: dict[str, Callable[[str], list[str | bytes]]],
    capabilities: str = CAPABILITIES,
    **selected: int,
) -> None:
    """Log in, then answer each command by the first pattern that fits; else OK alone. IDLE ends with its DONE."""
    await peer.log_in(capabilities)
    await select(peer, **selected)
    while True:
        command = await peer.command()
        if command.startswith("IDLE"):
            peer.send("+ idling")
            await peer.line()
            peer.done()
            continue
        if command.startswith(("SELECT", "EXAMINE")):
            peer.said.pop()
            await select(peer, command=False, **selected)
            continue
        verdict = "OK done"
        for pattern, answer in answers.items():
            if re.match(pattern, command):
                lines = answer(command)
                if lines and isinstance(lines[-1], str) and re.match("OK|NO|BAD", lines[-1]):
                    verdict = str(lines.pop())
                peer.send(*lines)
                break
        peer.done(verdict)


async def select(peer: Peer, *, command: bool = True, validity: int = 7, next: int = 2, exists: int = 1) -> None:  # noqa: A002
    if command:
        await peer.command("SELECT")
    peer.send(
        f"* {exists} EXISTS",
        r"* OK [PERMANENTFLAGS (\Seen \Deleted \Flagged \*)] ok",
        f"* OK [UIDVALIDITY {validity}] ok",
        f"* OK [UIDNEXT {next}] ok",
    )
    peer.done()


def one_message(answers: dict[str, Callable[[str], list[str | bytes]]]) -> Script:
    """A mailbox with one message, UID 1, and special answers."""
    usual: dict[str, Callable[[str], list[str | bytes]]] = {
        r"UID FETCH .*RFC822.SIZE": lambda command: [listed(1)] if re.match(r"UID FETCH (1|2:\*)", command) else [],
        r"UID FETCH .*BODY\.PEEK": lambda _: [literal(1)],
        r"UID FETCH 1 \(UID FLAGS\)": lambda _: ["* 1 FETCH (UID 1 FLAGS ())"],
        r'LIST "" "Done"': lambda _: ['* LIST () "/" "Done"'],
    }

    async def script(peer: Peer) -> None:
        await serve(peer, answers | {key: value for key, value in usual.items() if key not in answers})

    return script
