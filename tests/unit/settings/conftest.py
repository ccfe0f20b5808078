"""A private directory with postroom.yaml and pipelines, written as a test wants them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

import pytest

from postroom.settings.load import examine
from postroom.settings.model import Settings
from postroom.settings.review import Review, review

STDIN = 'mailboxes: {stdin: {url: "stdin:", pipeline: main, store: mail}}\n'
KEEP = "rules: [{name: all, do: keep}]\n"


@dataclass(frozen=True)
class Site:
    root: Path

    @property
    def config(self) -> Path:
        return self.root / "postroom.yaml"

    def write(self, text: str) -> "Site":
        self.config.write_text(dedent(text))
        return self

    def pipeline(self, name: str, text: str) -> "Site":
        (self.root / "pipelines").mkdir(exist_ok=True)
        (self.root / "pipelines" / f"{name}.yaml").write_text(dedent(text))
        return self

    def settings(self, environment: Mapping[str, str] | None = None) -> Settings:
        settings, problems = examine(self.config, environment=environment or {})
        assert settings is not None
        assert problems == []
        return settings

    def told(self, environment: Mapping[str, str] | None = None) -> list[str]:
        """Problems of postroom.yaml alone, as `line:column: path: text`."""
        _, problems = examine(self.config, environment=environment or {})
        return [str(one).removeprefix(f"{self.config}:") for one in problems]

    def review(self) -> Review:
        return review(self.config, environment={})

    def reviewed(self) -> list[str]:
        """Problems of everything, as `file:line:column: path: text` with the file's own name."""
        return [str(one).removeprefix(f"{Path(one.file).parent}/") for one in self.review().problems]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path).write(STDIN).pipeline("main", KEEP)
