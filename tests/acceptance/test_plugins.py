"""Steps of other packages: installed beside Postroom, admitted by the settings, read back from the ledger."""

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.acceptance.conftest import Site

STEP = '''\
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from postroom.errors import Temporary
from postroom.pipeline.outcome import Effect, Letter, Outcome, Receipt
from postroom.pipeline.step import Kind, Reference, Step
from postroom.pipeline.tools import Tools
from postroom.pipeline.view import View


class StampEffect(Effect):
    word: ClassVar[str] = "stamping"

    to: str

    @property
    def target(self) -> str:
        return self.to

    def perform(self, letter: Letter, tools: Tools) -> Receipt:
        if not Path(self.to).is_dir():
            raise Temporary("there is no desk to stamp on")
        (Path(self.to) / letter.key).touch()
        return Receipt(detail="stamped")


class StampStep(Step):
    """Stamps.

    - stamp: /desk
    """

    word: ClassVar[str] = "stamp"
    kind: ClassVar[Kind] = "act"
    main: ClassVar[str | None] = "to"
    effects: ClassVar[tuple[type[Effect], ...]] = (StampEffect,)

    to: str
    ink: str = ""
    like: str = ""

    def plan(self, view: View, tools: Tools) -> Iterator[Outcome]:
        yield StampEffect(to=self.to)

    def names(self) -> Iterator[Reference]:
        if self.ink:
            yield Reference("secret", self.ink)
        if self.like:
            yield Reference("file", self.like)
'''
SETTINGS = """\
state: state
pipelines: pipelines
plugins: [stamp]
secrets: {black: {env: INK}}
mailboxes:
  stdin: {url: "stdin:", pipeline: main, store: mail, state: state}
"""


class Office:
    """A site with a package of stamps installed beside Postroom."""

    def __init__(self, site: "Site") -> None:
        self.site = site
        self.installed = site.root / "installed"
        self.desk = site.root / "desk"

    def install(self, code: str = STEP) -> None:
        about = self.installed / "stamps-1.0.dist-info"
        about.mkdir(parents=True, exist_ok=True)
        (about / "METADATA").write_text("Metadata-Version: 2.1\nName: stamps\nVersion: 1.0\n")
        (about / "entry_points.txt").write_text("[postroom.steps]\nstamp = stamps:StampStep\n")
        (self.installed / "stamps.py").write_text(code)

    def rule(self, do: str) -> None:
        self.site.pipeline(f"name: main\nrules:\n  - {{name: r, do: [{do}]}}\n")

    def run(self, *arguments: str, message: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
        return self.site.run(*arguments, message=message, env={"PYTHONPATH": str(self.installed)})

    def offer(self) -> subprocess.CompletedProcess[bytes]:
        return self.run("filter", message=b"Subject: a\n\nb\n")

    def told(self) -> list[str]:
        done = self.run("check")
        assert done.returncode == 78
        return [line.partition(": ")[2] for line in done.stderr.decode().splitlines()[:-1]]


@pytest.fixture
def office(site: "Site") -> Office:
    made = Office(site)
    site.settings(SETTINGS)
    made.install()
    made.rule(f"{{stamp: {made.desk}}}")
    return made


def stamps(office: Office) -> list[Path]:
    return sorted(office.desk.iterdir())


def test_an_admitted_plugins_step_is_one_of_the_words_of_a_pipeline(office: Office) -> None:
    office.desk.mkdir()
    checked = office.run("check")
    assert (checked.returncode, checked.stderr) == (0, b"")
    assert office.offer().returncode == 0
    assert len(stamps(office)) == 1


def test_an_effect_of_a_plugin_that_had_to_wait_is_read_back_from_the_ledger(office: Office) -> None:
    first = office.offer()
    assert (first.returncode, first.stderr) == (75, b"4.3.0 postroom filter: there is no desk to stamp on\n")
    office.desk.mkdir()
    office.rule("keep")
    assert office.offer().returncode == 0
    assert len(stamps(office)) == 1


def test_without_its_plugin_a_waiting_effect_waits_on_and_says_what_is_missing(office: Office) -> None:
    assert office.offer().returncode == 75
    office.desk.mkdir()
    office.site.settings(SETTINGS.replace("plugins: [stamp]\n", ""))
    office.rule("keep")
    done = office.offer()
    assert done.returncode == 75
    assert b"names an effect `stamping`" in done.stderr
    office.site.settings(SETTINGS)
    assert office.offer().returncode == 0


def test_an_effect_that_its_step_does_not_name_is_not_taken_into_the_ledger(office: Office) -> None:
    office.desk.mkdir()
    office.install(STEP.replace("= (StampEffect,)", "= ()"))
    done = office.offer()
    assert done.returncode == 75
    assert b"it cannot be planned now: no step of ours nor of a plugin that the settings admit" in done.stderr
    assert stamps(office) == []
    assert office.site.ledger("select count(*) from effect") == [(0,)]


def test_a_plugin_that_is_installed_but_not_admitted_is_no_word(office: Office) -> None:
    office.site.settings(SETTINGS.replace("plugins: [stamp]\n", ""))
    assert office.told() == ["rules[0].do[0].stamp: unknown step `stamp`; did you mean `stop`?"]


@pytest.mark.parametrize(
    ("do", "told"),
    [
        pytest.param(
            "{stamp: {to: x, ink: blak}}",
            "rules[0].do[0].stamp: postroom.yaml has no secret `blak`; did you mean `black`?",
            id="secret",
        ),
        pytest.param(
            "{stamp: {to: x, like: old.png}}",
            "rules[0].do[0].stamp: there is no file `old.png` beside the pipeline",
            id="file",
        ),
        pytest.param(
            "{stamp: {too: x}}",
            "rules[0].do[0].stamp.too: unknown option `too`; did you mean `to`?",
            id="option",
        ),
    ],
)
def test_what_a_plugins_step_names_is_looked_up(office: Office, do: str, told: str) -> None:
    office.rule(do)
    assert told in office.told()


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        pytest.param("from pathlib", "raise OSError\nfrom pathlib", "does not load: OSError", id="raises"),
        pytest.param("StampStep(Step)", "Stamp(Step)", "does not load: AttributeError", id="not there"),
        pytest.param('= "stamp"', '= "seal"', "the entry point `stamp` gives no step of this word", id="another word"),
        pytest.param('= "stamping"', '= "move"', "its effect `move` has the word of another", id="our effect's word"),
    ],
)
def test_a_plugin_that_cannot_be_used_is_told_where_it_is_admitted(
    office: Office, old: str, new: str, told: str
) -> None:
    office.install(STEP.replace(old, new))
    [line] = [one for one in office.told() if one.startswith("plugins[0]: ")]
    assert told in line
    assert office.run("check").stderr.count(b"Traceback") == 0
