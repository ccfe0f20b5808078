"""Servers that mail goes out to, and a site whose messages go there."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from servers import perl_dkim, sink
from servers.authority import Authority
from servers.dns import Dns
from servers.dns import serving as serving_dns
from servers.signer import Signer
from servers.sink import Sink
from servers.smtp import Smtp
from servers.smtp import serving as serving_smtp
from wire.outgoing.relays import Relay, relaying

MESSAGE = b"""\
From: Jane <jane@home.example>
To: you@home.example
Subject: Sunday
Date: Sun, 01 Mar 2026 12:00:00 +0000
Message-ID: <sunday@home.example>

Lunch at one?
"""


@pytest.fixture
def dns() -> Iterator[Dns]:
    with serving_dns() as made:
        yield made


@pytest.fixture
def server() -> Iterator[Smtp]:
    with serving_smtp() as made:
        yield made


@pytest.fixture
def make_sink() -> Callable[..., AbstractContextManager[Sink]]:
    if not sink.is_installed():
        pytest.skip("smtp-sink is missing: apt-get install postfix")
    return sink.running


@pytest.fixture
def other_dkim() -> Callable[..., str]:
    if not perl_dkim.is_installed():
        pytest.skip("Mail::DKIM is missing: apt-get install libmail-dkim-perl")
    return perl_dkim.verified


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@dataclass
class Site:
    """`postroom filter` with a pipeline that forwards to `relay`. `dns`: the port of its resolver, where it asks one."""

    root: Path
    dns: int = 0

    def write(self, port: int, do: object, *, relay: dict[str, Any] | None = None, **settings: Any) -> None:
        (self.root / "pipelines").mkdir(exist_ok=True)
        rules = {"rules": [{"name": "all", "do": do}]}
        (self.root / "pipelines" / "main.yaml").write_text(yaml.safe_dump(rules))
        written: dict[str, Any] = {
            "state": "state",
            "pipelines": "pipelines",
            "host": "test.example",
            "mailboxes": {"stdin": {"url": "stdin:", "pipeline": "main", "store": "mail", "state": "state"}},
            "servers": {"relay": {"url": f"smtp://127.0.0.1:{port}", "tls": "off", **(relay or {})}},
            "defaults": {"server": "relay", "from": "robot@test.example"},
        }
        if self.dns:
            written["resolver"] = {"servers": [f"127.0.0.1:{self.dns}"], "timeout": "20s"}
        (self.root / "postroom.yaml").write_text(yaml.safe_dump(written | settings))

    def command(self, name: str, *arguments: str) -> list[str]:
        config = str(self.root / "postroom.yaml")
        return [sys.executable, "-m", "postroom", name, "--config", config, *arguments]

    def run(self, name: str, *arguments: str, message: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            self.command(name, *arguments),
            input=message,
            capture_output=True,
            env=self.environment,
            timeout=100,
            check=False,
        )

    def begin(self, message: bytes = MESSAGE) -> "subprocess.Popen[bytes]":
        """`postroom filter` has the message, and goes on by itself."""
        process = subprocess.Popen(self.command("filter"), stdin=subprocess.PIPE, env=self.environment)
        assert process.stdin is not None
        process.stdin.write(message)
        process.stdin.close()
        return process

    @property
    def environment(self) -> dict[str, str]:
        clean = {k: v for k, v in os.environ.items() if k not in ("SENDER", "RECIPIENT", "EXTENSION")}
        return clean | {"SENDER": "jane@home.example", "RECIPIENT": "you@home.example"}

    def filter(self, message: bytes = MESSAGE) -> subprocess.CompletedProcess[bytes]:
        return self.run("filter", message=message)

    def shown(self, number: int = 1) -> str:
        return self.run("show", str(number)).stdout.decode()

    @property
    def kept(self) -> int:
        return len([*(self.root / "mail").glob("new/*")])


@pytest.fixture
def site(tmp_path: Path, dns: Dns) -> Site:
    return Site(tmp_path, dns.port)


@pytest.fixture
def do() -> object:
    """What its rule does."""
    return [{"forward": "bob@example.net"}, "discard"]


@pytest.fixture
def rules(do: object) -> object:
    return [{"name": "all", "do": do}]


@pytest.fixture
def patience() -> float | None:
    """Seconds that mail waits for a server to come up."""
    return None


@pytest.fixture
def inside() -> Iterator[Smtp]:
    with serving_smtp(lmtp=True) as made:
        yield made


@pytest.fixture
def relay(
    tmp_path: Path, server: Smtp, inside: Smtp, dns: Dns, rules: object, patience: float | None
) -> Iterator[Relay]:
    with relaying(tmp_path, server, inside, dns, rules, patience) as made:
        yield made


@pytest.fixture
def signed(tmp_path: Path, dns: Dns) -> Callable[[bytes], bytes]:
    return Signer(tmp_path, dns).signed
