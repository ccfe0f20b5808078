"""Processes of the service that a test kills and starts again, and what their ledger says afterwards."""

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from postroom.ledger import Ledger, Query, Row

# What several processes of a site share.
SHARED = """\
ledger: {{url: "{ledger}"}}
queue: {{url: "{queue}"}}
secrets: {{site: {{env: SITE}}}}
"""


@dataclass
class Running:
    """One process of the service, which can be killed and started again."""

    command: Sequence[str]
    cwd: Path
    log: Path
    process: subprocess.Popen[bytes] | None = field(default=None)

    def start(self) -> None:
        with self.log.open("ab") as log:
            environment = os.environ | {"SITE": "a secret of this test"}
            self.process = subprocess.Popen(self.command, cwd=self.cwd, stdout=log, stderr=log, env=environment)

    @property
    def ended(self) -> bool:
        """Whether it is gone without having been asked."""
        return self.process is not None and self.process.poll() is not None

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait(30)

    def stop(self) -> None:
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)


@dataclass(frozen=True)
class Records:
    """What the ledger says of the mailbox, as an operator would ask it."""

    url: str

    def rows(self) -> list[Row]:
        with closing(Ledger.open(self.url)) as ledger:
            return list(ledger.find(Query(mailbox="box", limit=10_000)))

    def standing(self) -> Counter[str]:
        return Counter(row.state.value for row in self.rows())


def command(name: str, root: Path) -> list[str]:
    return [sys.executable, "-m", "postroom", name, "--config", str(root / "postroom.yaml")]
