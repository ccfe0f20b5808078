"""A private site for each test: its own settings, pipeline, state and store; `postroom` runs as a subprocess."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

import ledgers
import waiting

SETTINGS = """\
state: state
pipelines: pipelines
host: test.example
mailboxes:
  stdin: {url: "stdin:", pipeline: main, store: mail, state: state}
"""
LETTER = b"""\
From: Jane <jane@home.example>
To: you@home.example
Subject: Sunday
Message-ID: <sunday@home.example>

Lunch at one?
"""


@dataclass(frozen=True)
class Site:
    root: Path

    @property
    def store(self) -> Path:
        return self.root / "mail"

    def settings(self, text: str) -> None:
        self._write("postroom.yaml", text)

    def pipeline(self, text: str, name: str = "main") -> None:
        (self.root / "pipelines").mkdir(exist_ok=True)
        self._write(f"pipelines/{name}.yaml", text)

    def _write(self, name: str, text: str) -> None:
        """As editors do: a service that reads it meanwhile has the old one or the new one whole."""
        (self.root / "written").write_text(text)
        (self.root / "written").replace(self.root / name)

    def command(self, *arguments: str) -> list[str]:
        name, *rest = arguments
        return [sys.executable, "-m", "postroom", name, "--config", str(self.root / "postroom.yaml"), *rest]

    def run(
        self,
        *arguments: str,
        message: bytes | None = None,
        env: dict[str, str] | None = None,
        prefix: tuple[str, ...] = (),
    ) -> subprocess.CompletedProcess[bytes]:
        clean = {k: v for k, v in os.environ.items() if k not in ("SENDER", "RECIPIENT", "EXTENSION")}
        return subprocess.run(
            [*prefix, *self.command(*arguments)],
            input=message,
            capture_output=True,
            env={**clean, **(env or {})},
            cwd=self.root,
            timeout=120,
            check=False,
        )

    @contextmanager
    def serving(self, *arguments: str, **environment: str) -> Iterator["subprocess.Popen[bytes]"]:
        """The service (`run` where nothing else is named), killed in the end; what it says goes to the site's log."""
        with (self.root / "log").open("ab") as log:
            process = subprocess.Popen(
                self.command(*(arguments or ("run",))),
                cwd=self.root,
                stdout=log,
                stderr=log,
                env={**os.environ, **environment},
            )
            try:
                yield process
            finally:
                process.kill()
                process.wait()

    @property
    def log(self) -> str:
        """All that services of this site have said."""
        path = self.root / "log"
        return path.read_text(errors="replace") if path.exists() else ""

    def until(self, holds: Callable[[], object]) -> None:
        """Wait until it holds."""
        waiting.until(holds, 90, lambda: self.log[-3000:], 0.05)

    def filter(self, message: bytes = LETTER, *arguments: str, **more: str) -> subprocess.CompletedProcess[bytes]:
        return self.run("filter", *arguments, message=message, env=more)

    def mail(self, folder: str = "", store: Path | None = None) -> list[Path]:
        """Delivered messages: `new` and `cur` of a Maildir++ folder."""
        where = (store or self.store) / (f".{folder.replace('/', '.')}" if folder else "")
        return sorted(file for sub in ("new", "cur") for file in (where / sub).glob("*"))

    def everything(self) -> list[Path]:
        """Every message in every folder of the store."""
        return sorted(file for sub in ("new", "cur") for file in self.store.rglob(f"{sub}/*") if file.is_file())

    def rows(self, sql: str) -> list[tuple[object, ...]]:
        """The same, and nothing while there is no ledger yet."""
        try:
            return self.ledger(sql)
        except sqlite3.OperationalError:
            return []

    def ledger(self, sql: str) -> list[tuple[object, ...]]:
        return ledgers.asked(self.root / "state" / "ledger.db", sql)


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as made:
        yield made


@pytest.fixture
def site(tmp_path: Path) -> Site:
    made = Site(tmp_path)
    made.settings(SETTINGS)
    made.pipeline("name: main\nrules:\n  - name: all\n    do: keep\n")
    return made
