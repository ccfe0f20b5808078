"""fetchmail and getmail, which bring in mail by IMAP or POP3 and start procmail for each message."""

import os
import pwd
import shutil
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from peers import rules

# getmail 6.18 starts a delivery before it listens for its end; one that ends first is never noticed, and getmail waits.
GETMAIL_TIMEOUT = 5


@dataclass(frozen=True)
class Run:
    """Seconds on the clock, and of all processors."""

    wall: float
    cpu: float
    status: int


def account() -> pwd.struct_passwd:
    """Who runs them: getmail delivers nothing as root."""
    return pwd.getpwnam("nobody") if os.geteuid() == 0 else pwd.getpwuid(os.getuid())


def own(*paths: Path) -> None:
    """Give files to who runs the peers."""
    if os.geteuid() == 0:
        for path in paths:
            os.chown(path, account().pw_uid, account().pw_gid)


def fetchmail(home: Path, protocol: str, port: int, user: str, target: Path) -> list[str | Path]:
    """The command that empties a mailbox into procmail, everything fetched and deleted."""
    (home / "procmailrc").write_text(rules.procmailrc(str(target)))
    settings = home / "fetchmailrc"
    settings.write_text(
        f"poll 127.0.0.1 protocol {protocol} port {port} auth password timeout 300\n"
        f'  user "{user}" password "x" is "sink" here\n'
        f'  sslproto ""\n  fetchall nokeep mda "/usr/bin/procmail {home}/procmailrc"\n'
    )
    settings.chmod(0o600)
    own(home, settings, home / "procmailrc")
    files = ["--fetchmailrc", settings, "--pidfile", home / "pid", "--idfile", home / "ids"]
    return ["/usr/bin/fetchmail", "--silent", "--nosyslog", "--nodetach", *files]


def getmail(home: Path, protocol: str, port: int, user: str, target: Path) -> list[str | Path]:
    """The same with getmail."""
    (home / "procmailrc").write_text(rules.procmailrc(str(target)))
    kind = {"imap": "SimpleIMAPRetriever", "pop3": "SimplePOP3Retriever"}[protocol]
    directory = home / "getmail"
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir()
    (directory / "getmailrc").write_text(
        f"[retriever]\ntype = {kind}\nserver = 127.0.0.1\nport = {port}\nusername = {user}\n"
        f"password = x\ntimeout = {GETMAIL_TIMEOUT}\n[destination]\ntype = MDA_external\npath = /usr/bin/procmail\n"
        f'arguments = ("{home}/procmailrc",)\nignore_stderr = true\n'
        "[options]\nread_all = true\ndelete = true\nverbose = 0\n"
    )
    own(home, home / "procmailrc", directory, directory / "getmailrc")
    return ["/usr/bin/getmail", "--getmaildir", directory]


def timed(command: Sequence[str | Path], home: Path) -> Run:
    """Run to the end, with all that it starts."""
    root = os.geteuid() == 0
    who = account()
    environment = {"HOME": str(home), "USER": who.pw_name, "LOGNAME": who.pw_name, "PATH": os.environ["PATH"]}
    start = time.perf_counter()
    with (home / "output").open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=home,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            user=who.pw_uid if root else None,
            group=who.pw_gid if root else None,
            extra_groups=[] if root else None,
        )
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return Run(time.perf_counter() - start, usage.ru_utime + usage.ru_stime, process.returncode)
