"""The reference in docs/: made from the code, complete, and every example in it works."""

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from postroom.cli import shapes
from postroom.cli.main import app
from postroom.errors import Problem
from postroom.message import Message, parse
from postroom.message.defects import Defect
from postroom.message.limits import Limits
from postroom.metrics.prometheus import Metrics
from postroom.pipeline.conditions import compile_condition
from postroom.pipeline.conditions.catalogue import CATALOGUE
from postroom.pipeline.conditions.compiling import FIELDS
from postroom.pipeline.conditions.reading import OPERATORS
from postroom.pipeline.templates.syntax import FILTERS
from postroom.pipeline.templates.values import ATTRIBUTES, VALUES
from postroom.reference import MARK, PAGES
from postroom.reference.__main__ import main
from postroom.reference.entries import docstrings, entries
from postroom.settings import load, load_pipeline
from postroom.settings.cases import Case, ShortMessage
from postroom.settings.mailboxes import Mailbox
from postroom.settings.model import Settings
from postroom.settings.servers import Server
from postroom.settings.words import Words
from postroom.steps import STEPS, step
from postroom.trial import run
from postroom.units import format_size, parse_size

ROOT = Path(__file__).parents[2]


def read(name: str) -> str:
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def headings(name: str) -> set[str]:
    return set(re.findall(r"^#+ (.*)$", read(name), re.MULTILINE))


def rows(text: str) -> set[str]:
    return set(re.findall(r"^\| `(.*?)` \|", text, re.MULTILINE))


def section(name: str, heading: str) -> str:
    text = read(name).partition(f"# {heading}\n")[2]
    return re.split(r"^#+ ", text, maxsplit=1, flags=re.MULTILINE)[0]


def examples(name: str) -> list[Any]:
    return [yaml.safe_load(text) for text in re.findall(r"^```yaml\n(.*?)^```$", read(name), re.MULTILINE | re.DOTALL)]


def kinds(of: type[Mailbox | Server]) -> list[type[Mailbox | Server]]:
    found, waiting = [], [of]
    while waiting:
        kind = waiting.pop()
        waiting += kind.__subclasses__()
        found += [kind] if "kind" in vars(kind) else []
    return found


# Fresh


def test_every_file_that_is_made_from_the_code_is_what_the_code_says() -> None:
    assert main(["--check", str(ROOT)]) == 0


def test_a_stale_page_is_named_and_made_anew_below_its_mark(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(ROOT / "docs", tmp_path / "docs")
    page = tmp_path / "docs/defects.md"
    page.write_text(f"# By hand\n{MARK}nonsense\n")
    assert main(["--check", str(tmp_path)]) == 1
    told = capsys.readouterr().err
    assert f"{page} is stale: run `make generated`" in told
    assert "steps.md" not in told
    assert main(["--write", str(tmp_path)]) == 0
    assert main(["--check", str(tmp_path)]) == 0
    assert page.read_text().startswith(f"# By hand\n{MARK}\n## `leading-lines`")


@pytest.mark.parametrize("name", PAGES)
def test_every_page_begins_with_words_of_a_person(name: str) -> None:
    head, mark, _ = read(name).partition(MARK)
    assert head.startswith("# ")
    assert mark


# Complete


def test_every_metric_has_its_heading_and_its_labels() -> None:
    for name, labels in Metrics().labels.items():
        assert f"`{name}`" in headings("metrics.md")
        assert rows(section("metrics.md", f"`{name}`")) == set(labels)


def test_every_step_has_its_heading_and_each_of_its_options_a_description() -> None:
    for word in STEPS:
        assert f"`{word}`" in headings("steps.md")
        options = list(entries(step(word)))
        assert rows(section("steps.md", f"`{word}`")) == {option.name for option in options}
        assert [option.name for option in options if not option.text] == [], word


def test_every_setting_has_its_heading_or_its_row_and_a_description() -> None:
    for entry, field in zip(entries(Settings), Settings.model_fields.values(), strict=True):
        assert f"`{entry.name}`" in headings("settings.md")
        assert entry.text
        if isinstance(inner := field.annotation, type) and hasattr(inner, "model_fields"):
            nested = {one.name for one in entries(inner)}
            for within in inner.model_fields.values():
                if isinstance(deeper := within.annotation, type) and hasattr(deeper, "model_fields"):
                    nested |= {one.name for one in entries(deeper)}
            assert rows(section("settings.md", f"`{entry.name}`")) == nested


@pytest.mark.parametrize(("of", "number"), [(Mailbox, 5), (Server, 4)], ids=["mailboxes", "servers"])
def test_every_kind_has_its_heading_and_all_its_keys(of: type[Mailbox | Server], number: int) -> None:
    assert len(kinds(of)) == number
    for kind in kinds(of):
        keys = list(entries(kind))
        assert {key.name for key in keys} <= rows(section("settings.md", kind.kind))
        assert [key.name for key in keys if not key.text] == [], kind.kind


def test_every_field_of_conditions_has_its_heading() -> None:
    names = [entry.name for entry in CATALOGUE]
    assert sorted(names) == sorted([*FIELDS, "header.<Name>"])
    assert {f"`{name}`" for name in names} <= headings("conditions.md")
    assert set(re.findall(r"`([\w-]+)`", section("conditions.md", "Patterns"))) >= set(OPERATORS)


def test_every_value_and_filter_of_templates_stands_in_the_page() -> None:
    text = read("templates.md")
    assert rows(text) == {*VALUES, *ATTRIBUTES}
    assert {f"`{name}`" for name in FILTERS} <= set(re.findall(r"`\w+`", text))


def test_every_command_has_its_heading_and_each_of_its_options_a_description() -> None:
    commands = {one.name or getattr(one.callback, "__name__", "") for one in app.registered_commands}
    assert {f"`{name}`" for name in commands} <= headings("commands.md")
    assert not re.search(r"^\| `[^|]*\|\s*\|$", read("commands.md"), re.MULTILINE)


def test_every_defect_has_its_heading() -> None:
    assert {f"`{defect}`" for defect in Defect} <= headings("defects.md")
    assert all(docstrings(Defect)[defect.name] for defect in Defect)


def test_every_key_of_a_pipelines_tests_has_its_row() -> None:
    assert {entry.name for model in (Case, ShortMessage) for entry in entries(model)} <= rows(read("pipelines.md"))


def test_every_key_of_a_message_in_json_has_its_row() -> None:
    dumped = parse((ROOT / "deploy/samples/invoice.eml").read_bytes()).model_dump(mode="json")
    text = read("json.md").partition("`Message.model_dump")[2]
    assert {*dumped, *dumped["parts"][0], *dumped["headers"][0], *dumped["from"][0]} == rows(text)


SHAPES = [one for name, one in vars(shapes).items() if name.endswith("Shape")]


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.__name__)
def test_every_key_that_commands_print_has_its_row_and_a_description(shape: type[Any]) -> None:
    text = section("json.md", shape.__name__.removesuffix("Shape"))
    assert rows(text) == set(shape.model_fields)
    assert not re.search(r"\|\s*\|$", text.replace("| key | value | |", ""), re.MULTILINE)


# Right


@pytest.mark.parametrize("example", examples("steps.md"), ids=str)
def test_steps_in_the_reference_are_steps(example: Any) -> None:
    wrong: list[Problem] = []
    assert len(Words().steps(example, ("do",), wrong)) == len(example)
    assert wrong == []


@pytest.mark.parametrize("example", examples("conditions.md"), ids=str)
def test_conditions_in_the_reference_are_conditions(example: Any, tmp_path: Path) -> None:
    (tmp_path / "customers.txt").write_text("*@customer.example\n")
    wrong: list[Problem] = []
    assert compile_condition(example.get("when", example), (), wrong, directory=tmp_path) is not None
    assert wrong == []


@pytest.mark.parametrize("entry", CATALOGUE, ids=lambda entry: entry.name)
def test_the_example_of_a_field_asks_that_field(entry: Any) -> None:
    wrong: list[Problem] = []
    condition = compile_condition(yaml.safe_load(entry.example), (), wrong, directory=ROOT)
    assert condition is not None
    assert all(label.startswith(entry.name.partition("<")[0]) for label in condition.labels())


@pytest.mark.parametrize("text", re.findall(r"^```yaml\n(.*?)^```$", read("pipelines.md"), re.MULTILINE | re.DOTALL))
def test_pipelines_in_the_reference_pass_their_tests(text: str, tmp_path: Path) -> None:
    file = tmp_path / f"{yaml.safe_load(text)['name']}.yaml"
    file.write_text(text)
    verdicts = list(run(load_pipeline(str(file))))
    assert verdicts
    assert [verdict.diff for verdict in verdicts if not verdict.passed] == []


@pytest.mark.parametrize("text", re.findall(r"^```yaml\n(.*?)^```$", read("settings.md"), re.MULTILINE | re.DOTALL))
def test_settings_in_the_reference_load(text: str, tmp_path: Path) -> None:
    (tmp_path / "postroom.yaml").write_text(text)
    assert load(tmp_path / "postroom.yaml", environment={}).mailboxes


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_to_a_page_or_a_heading(name: str) -> None:
    for page, anchor in re.findall(r"\]\(([\w.]*)(?:#([\w-]+))?\)", read(name)):
        assert (ROOT / "docs" / (page or name)).is_file()
        if anchor:
            assert anchor in {
                re.sub(r"[`.<>]", "", heading).lower().replace(" ", "-") for heading in headings(page or name)
            }


@pytest.mark.parametrize("text", ["64KiB", "1GiB", "50MB", "1MB", "100KB", "0", "7", "998"])
def test_sizes_are_written_as_operators_write_them(text: str) -> None:
    assert format_size(parse_size(text)) == text or format_size(parse_size(text)) == f"{parse_size(text)}"


def test_what_stands_below_an_attribute_is_read_as_its_description() -> None:
    assert docstrings(Limits)["parts"] == "Parts in the flat list."
    assert docstrings(Message)["reply_to"] == "Where answers go."
