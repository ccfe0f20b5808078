"""Settles a message again and again, each time in a child that is killed at a later change of the disk, and finishes.

Arguments: a directory, and `rewrite` or `plain`. Prints how many changes there are.
"""

import os
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path

from desks import settlement
from postroom.ledger import Arrival
from postroom.message.edit import AddHeader
from postroom.settings.mailboxes import MaildirMailbox
from postroom.sources.maildir.settling import Settler
from postroom.sources.settlement import Settlement
from postroom.transports import maildir

CHANGES = ("os.link", "os.rename", "os.remove", "os.mkdir")


def settle(root: Path, work: Settlement) -> None:
    settings = MaildirMailbox.model_validate({"url": "maildir:m", "rewrite": bool(work.edits)})
    settler = Settler(root, settings, host="test.example")
    if work.edits:
        settler.rewrite(work, [b"edited\n"])
    else:
        settler.settle([work])


def killed(root: Path, work: Settlement, number: int) -> bool:
    """Whether the child came to its change of that number."""
    child = os.fork()
    if child == 0:
        left = number

        def count(event: str, arguments: tuple[object, ...]) -> None:
            nonlocal left
            if event in CHANGES and str(arguments[0]).startswith(str(root)):
                left -= 1
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(count)
        settle(root, work)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


def main(directory: Path, *, rewrites: bool) -> None:
    edits = (AddHeader(name="X-Tag", value="seen"),) if rewrites else ()
    arrival = Arrival(source_key="1.a.host", pipeline="main", received=datetime.now(UTC), content=b"", folder="INBOX")
    work = settlement(arrival, place="moved", target="A/B", copies=("C",), edits=edits)
    number, more = 0, True
    while more:
        number += 1
        root = directory / f"{number:02}"
        maildir.prepare(root, create=True, root=None)
        (root / "new/1.a.host").write_bytes(b"original\n")
        more = killed(root, work, number)
        assert [path for path in root.glob("**/*") if path.parent.name in ("new", "cur")], "it is lost"
        settle(root, work)
    print(number - 1)


if __name__ == "__main__":
    main(Path(sys.argv[1]), rewrites=sys.argv[2] == "rewrite")
