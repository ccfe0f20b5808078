"""Private Rspamd and spamd on free ports of 127.0.0.1, with their own rules as installed and without the network."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from servers import process
from servers.ports import free_port

RSPAMD = shutil.which("rspamd") or "/usr/bin/rspamd"
SPAMD = "/usr/sbin/spamd"
CLAMD = "/usr/sbin/clamd"
_RSPAMD_CONFIG = """
options {{
  url_tld = "{home}/tlds"
  tempdir = "{home}"
  filters = ""
  dns {{ nameserver = ["127.0.0.1:9"]; timeout = 0.1s; retransmits = 1; }}
}}
logging {{ type = "file"; filename = "{home}/log"; }}
worker "normal" {{ bind_socket = "127.0.0.1:{port}"; count = 1; }}
actions {{ reject = 15; "add header" = 6; }}
"""
_CLAMD_CONFIG = """
DatabaseDirectory {home}/signatures
LocalSocket {home}/clamd
Foreground yes
"""
# One signature: the EICAR test file, by its beginning.
_SIGNATURES = "Eicar-Test-Signature:0:*:58354f2150254041505b345c505a58353428505e2937434329377d2445494341522d5354\n"


@dataclass(frozen=True)
class Running:
    """`url` as the settings name it. A stopped server takes connections and says nothing."""

    url: str
    process: "subprocess.Popen[bytes]"


@contextmanager
def rspamd() -> Iterator[Running]:
    port = free_port()
    with process.home("rspamd", 0o777) as home:
        (home / "tlds").write_text("com\norg\nexample\n")
        (home / "rspamd.conf").write_text(_RSPAMD_CONFIG.format(home=home, port=port))
        command = [RSPAMD, "-f", "-i", "-c", f"{home}/rspamd.conf", "-u", "nobody", "-g", "nogroup"]
        with _server(command, home, ("127.0.0.1", port)) as started:
            yield Running(f"http://127.0.0.1:{port}", started)


@contextmanager
def spamd() -> Iterator[Running]:
    port = free_port()
    with process.home("spamd", 0o777) as home:
        command = [SPAMD, "-x", "-L", "--max-children=1", f"--listen=127.0.0.1:{port}", "-u", "nobody", "-H", str(home)]
        with _server([*command, f"--syslog={home}/log"], home, ("127.0.0.1", port)) as started:
            yield Running(f"tcp://127.0.0.1:{port}", started)


@contextmanager
def clamd() -> Iterator[Running]:
    with process.home("clamd", 0o777) as home:
        (home / "signatures").mkdir()
        (home / "signatures/test.ndb").write_text(_SIGNATURES)
        (home / "clamd.conf").write_text(_CLAMD_CONFIG.format(home=home))
        with _server([CLAMD, f"--config-file={home}/clamd.conf"], home, f"{home}/clamd") as started:
            yield Running(f"unix:{home}/clamd", started)


@contextmanager
def _server(command: list[str], home: Path, address: "str | tuple[str, int]") -> "Iterator[subprocess.Popen[bytes]]":
    with process.running(command, home) as started:
        process.await_listener(started, address, home / "output")
        yield started
