"""Processes of the service that a test kills and starts again."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path


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


def command(name: str, root: Path) -> list[str]:
    return [sys.executable, "-m", "postroom", name, "--config", str(root / "postroom.yaml")]
