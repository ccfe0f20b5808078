"""Private Rspamd and spamd on free ports of 127.0.0.1, with their own rules as installed and without the network."""

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

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
    with _home("rspamd") as home:
        (home / "tlds").write_text("com\norg\nexample\n")
        (home / "rspamd.conf").write_text(_RSPAMD_CONFIG.format(home=home, port=port))
        command = [RSPAMD, "-f", "-i", "-c", f"{home}/rspamd.conf", "-u", "nobody", "-g", "nogroup"]
        with _server(command, home, ("127.0.0.1", port)) as process:
            yield Running(f"http://127.0.0.1:{port}", process)


@contextmanager
def spamd() -> Iterator[Running]:
    port = free_port()
    with _home("spamd") as home:
        command = [SPAMD, "-x", "-L", "--max-children=1", f"--listen=127.0.0.1:{port}", "-u", "nobody", "-H", str(home)]
        with _server([*command, f"--syslog={home}/log"], home, ("127.0.0.1", port)) as process:
            yield Running(f"tcp://127.0.0.1:{port}", process)


@contextmanager
def clamd() -> Iterator[Running]:
    with _home("clamd") as home:
        (home / "signatures").mkdir()
        (home / "signatures/test.ndb").write_text(_SIGNATURES)
        (home / "clamd.conf").write_text(_CLAMD_CONFIG.format(home=home))
        with _server([CLAMD, f"--config-file={home}/clamd.conf"], home, f"{home}/clamd") as process:
            yield Running(f"unix:{home}/clamd", process)


@contextmanager
def _home(name: str) -> Iterator[Path]:
    home = Path(tempfile.mkdtemp(prefix=f"postroom-{name}-"))
    home.chmod(0o777)
    try:
        yield home
    finally:
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def _server(command: list[str], home: Path, address: "str | tuple[str, int]") -> "Iterator[subprocess.Popen[bytes]]":
    with (home / "output").open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, cwd=home)
        try:
            _await(process, address, home)
            yield process
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(20)


def _await(process: "subprocess.Popen[bytes]", address: "str | tuple[str, int]", home: Path) -> None:
    end = time.monotonic() + 90
    while time.monotonic() < end and process.poll() is None:
        with suppress(OSError), socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET) as probe:
            probe.connect(address)
            return
        time.sleep(0.05)
    raise AssertionError(f"{process.args!r} did not start: {(home / 'output').read_text(errors='replace')[-2000:]}")
