"""What README.md and ARCHITECTURE.md say works: examples run, files and functions that they name are there."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from pkgutil import resolve_name

import pytest
import yaml
from jsonschema import Draft202012Validator

from postroom import trial
from postroom.settings import load_pipeline
from postroom.settings.review import review

ROOT = Path(__file__).parents[2]
POSTROOM = ".venv/bin/postroom"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# Where the names in the picture of ARCHITECTURE.md live.
NAMES = {
    "Bell": "postroom.queue:Bell",
    "Sizes": "postroom.sources.pop3.sizes:Sizes",
    "bodies": "postroom.sources.imap.bodies",
    "Intake": "postroom.intake:Intake",
    "Keeper": "postroom.work.claims:Keeper",
    "Labour": "postroom.work.claims:Labour",
    "MailboxDesk": "postroom.desk:MailboxDesk",
    "Source": "postroom.sources:Source",
    "Sweeper": "postroom.sweeper:Sweeper",
    "Ledger": "postroom.ledger:Ledger",
    "Worker": "postroom.work:Worker",
    "Effect": "postroom.pipeline.outcome:Effect",
    "ForwardEffect": "postroom.steps.forward:ForwardEffect",
    "Session": "postroom.transports.smtp.session:Session",
    "Step": "postroom.pipeline.step:Step",
    "errors": "postroom.errors",
    "planner": "postroom.pipeline.planner",
    "sources": "postroom.sources",
    "pipeline": "postroom.pipeline",
}


def blocks(kind: str, document: str = "README.md") -> list[str]:
    text = (ROOT / document).read_text(encoding="utf-8")
    return [body for found, body in BLOCK.findall(text) if found == kind]


def commands(document: str = "README.md") -> list[str]:
    lines = [line for block in blocks("console", document) for line in block.splitlines()]
    return [line.removeprefix("$ ") for line in lines if line.startswith(f"$ {POSTROOM}")]


TRIED = ("moving", "recipes")
DOCUMENTS = ["README.md", *sorted(f"docs/{page.name}" for page in (ROOT / "docs").glob("*.md"))]


def test_every_block_in_the_documents_is_of_a_kind_that_is_tried() -> None:
    kinds = {(name, kind) for name in DOCUMENTS for kind, _ in BLOCK.findall((ROOT / name).read_text("utf-8"))}
    assert {kind for _, kind in kinds} == {"yaml", "console", "python", "text"}
    tried = {"README.md", *(f"docs/{page}.md" for page in (*TRIED, "settings", "pipelines", "conditions", "steps"))}
    assert {name for name, kind in kinds if kind == "yaml"} == tried
    assert {name for name, kind in kinds if kind == "python"} == {"README.md"}


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a reader has beside the README; `~` is a directory within."""
    copy = tmp_path_factory.mktemp("checkout")
    for name in ("config", "pipelines", "deploy"):
        shutil.copytree(ROOT / name, copy / name)
    (copy / "home").mkdir()
    return copy


def run(checkout: Path, command: str) -> subprocess.CompletedProcess[str]:
    own = f"{shlex.quote(sys.executable)} -m postroom"
    text = command.replace(POSTROOM, own).replace("~/postroom", str(checkout / "home/postroom"))
    clean = {key: value for key, value in os.environ.items() if not key.startswith("POSTROOM")}
    return subprocess.run(
        ["/bin/sh", "-c", text],
        cwd=checkout,
        env={**clean, "HOME": str(checkout / "home")},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_readme_has_examples_of_each_kind() -> None:
    assert blocks("yaml")
    assert blocks("python")
    assert len(commands()) >= 4


@pytest.mark.parametrize("text", [text for text in blocks("yaml") if "mailboxes:" in text], ids=["settings"])
def test_settings_in_the_readme_are_right_and_of_ten_lines(checkout: Path, text: str) -> None:
    file = checkout / "config" / "readme.yaml"
    file.write_text(text)
    done = run(checkout, f"{POSTROOM} check --config {file}")
    assert (done.returncode, len(text.splitlines())) == (0, 10), done.stdout


@pytest.mark.parametrize(
    "text", [text for text in blocks("yaml") if "mailboxes:" not in text], ids=lambda text: text.splitlines()[0]
)
def test_a_pipeline_in_the_readme_is_one(tmp_path: Path, text: str) -> None:
    data = yaml.safe_load(text)
    file = tmp_path / f"{data['name']}.yaml"
    file.write_text(text)
    assert load_pipeline(str(file)).file.pipeline.rules
    schema = json.loads((ROOT / "config/pipeline.schema.json").read_text())
    assert [error.message for error in Draft202012Validator(schema).iter_errors(data)] == []


def examples(*, settings: bool) -> list[str]:
    """Of pages that hold whole pipelines and settings."""
    found = [text for page in TRIED for text in blocks("yaml", f"docs/{page}.md")]
    return [text for text in found if ("mailboxes:" in text) is settings]


@pytest.mark.parametrize("text", examples(settings=False), ids=lambda text: text.splitlines()[0])
def test_a_whole_pipeline_in_the_documents_passes_its_own_tests(tmp_path: Path, text: str) -> None:
    (tmp_path / "important.txt").write_text("boss@example.com\n")
    file = tmp_path / f"{yaml.safe_load(text)['name']}.yaml"
    file.write_text(text)
    verdicts = [*trial.run(load_pipeline(str(file)))]
    assert verdicts
    assert [verdict.diff for verdict in verdicts if not verdict.passed] == []


@pytest.mark.parametrize("text", examples(settings=True), ids=lambda text: text.split("mailboxes:")[1].split()[0])
def test_settings_for_those_who_move_here_are_right(checkout: Path, text: str) -> None:
    file = checkout / "config" / "moved.yaml"
    file.write_text(text)
    assert [str(problem) for problem in review(file).problems] == []


@pytest.mark.parametrize("text", blocks("python"), ids=lambda text: text.splitlines()[0])
def test_python_in_the_readme_runs(checkout: Path, text: str) -> None:
    command = [sys.executable, "-W", "ignore::ResourceWarning", "-c", text]
    done = subprocess.run(command, cwd=checkout, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("document", [name for name in DOCUMENTS if blocks("console", name)])
def test_the_commands_of_a_document_run_one_after_the_other(checkout: Path, document: str) -> None:
    assert commands(document)
    for command in commands(document):
        done = run(checkout, command)
        assert (done.returncode, done.stderr) == (0, ""), command
        assert done.stdout, command


def test_the_readme_shows_what_explain_prints(checkout: Path) -> None:
    [shown] = [text for text in blocks("text") if text.startswith("deploy/samples/invoice.eml: ")]
    assert run(checkout, f"{POSTROOM} explain deploy/samples/invoice.eml").stdout == shown


def test_every_command_that_the_readme_lists_is_there_and_none_is_missing(checkout: Path) -> None:
    table = re.findall(r"^\| (`postroom .*?) \|", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    listed = {name for row in table for name in re.findall(r"`(?:postroom )?([a-z]+)", row)}
    done = run(checkout, f"{POSTROOM} --help")
    assert listed == set(re.findall(r"^[│ |]*([a-z]+) {2,}\w", done.stdout, re.MULTILINE))


@pytest.mark.parametrize("document", [*DOCUMENTS, "ARCHITECTURE.md", "CONTRIBUTING.md", "deploy/README.md"])
def test_links_between_documents_lead_somewhere(document: str) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)(?:#([^)]+))?", (ROOT / document).read_text(encoding="utf-8"))
    beside = (ROOT / document).parent
    assert [link for link, _ in links if not (beside / link).exists()] == []
    for link, anchor in links:
        headings = re.findall(r"^#+ (.*)$", (beside / link).read_text("utf-8"), re.MULTILINE) if anchor else []
        known = {re.sub(r"[^\w -]", "", one).strip().lower().replace(" ", "-") for one in headings}
        assert not anchor or anchor in known, f"{link}#{anchor}"


def test_files_that_the_architecture_names_are_there() -> None:
    named = set(re.findall(r"`([a-z_./]+(?:/|\.(?:py|yaml|md)))`", (ROOT / "ARCHITECTURE.md").read_text("utf-8")))
    assert len(named) > 10
    places = (ROOT, ROOT / "service/postroom", ROOT / "config")
    assert [name for name in sorted(named) if not any((place / name).exists() for place in places)] == []


def picture() -> list[str]:
    """Dotted names that ARCHITECTURE.md uses for what is in the code."""
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    drawn = text.partition("```\n")[2].partition("```")[0]
    prose = re.findall(r"`([\w.]+)`", text)
    found = {*re.findall(r"[A-Za-z]\w*(?:\.[a-z]\w*)+", drawn), *(name for name in prose if "." in name)}
    return sorted(name for name in found if not name.endswith((".py", ".yaml", ".md")))


@pytest.mark.parametrize("name", picture())
def test_what_the_architecture_names_is_in_the_code(name: str) -> None:
    first, *rest = name.split(".")
    found = resolve_name(NAMES[first])
    for one in rest:
        found = getattr(found, one) if hasattr(found, one) else import_module(f"{found.__name__}.{one}")
    assert found is not None


def test_every_room_of_the_package_stands_in_the_architecture() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    package = ROOT / "service/postroom"
    rooms = {one.name for one in package.iterdir() if (one / "__init__.py").is_file()}
    assert [room for room in sorted(rooms) if f"`{room}/`" not in text] == []
