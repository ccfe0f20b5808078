from typing import Any

import pytest

from postroom import steps, testing
from postroom.message import DropPart, edited, parse
from postroom.pipeline.outcome import Edited
from postroom.pipeline.pipeline import Pipeline, Rule
from postroom.pipeline.planner import plan
from postroom.testing import Attachment

ODD = (
    Attachment("a.pdf"),
    Attachment("run.exe", content=b"MZ" * 600),
    Attachment("b.txt", content=b"\0\xff odd \r\r\n"),
)


def stripped(raw: bytes, **options: Any) -> list[Edited]:
    found = [*steps.step("strip").model_validate(options).plan(testing.view(raw), testing.tools())]
    return [outcome for outcome in found if isinstance(outcome, Edited)]


def after(raw: bytes, **options: Any) -> bytes:
    return b"".join(edited(raw, [outcome.edit for outcome in stripped(raw, **options)]))


@pytest.mark.parametrize(
    ("options", "gone"),
    [
        pytest.param({}, ["a.pdf", "run.exe", "b.txt"], id="all"),
        pytest.param({"names": "*.exe"}, ["run.exe"], id="by name"),
        pytest.param({"types": ["application/pdf"]}, ["a.pdf"], id="by type"),
        pytest.param({"larger": "1KB"}, ["run.exe"], id="by size"),
        pytest.param({"larger": "1KB", "names": "*.pdf"}, [], id="all that is given has to hold"),
    ],
)
def test_chosen_attachments_go_and_are_named(options: dict[str, Any], gone: list[str]) -> None:
    raw = testing.message(attachments=ODD)
    assert [outcome.target for outcome in stripped(raw, **options)] == gone
    left = [part.filename for part in parse(after(raw, **options)).attachments]
    assert left == [one.name for one in ODD if one.name not in gone]


def test_every_other_octet_stays() -> None:
    raw = testing.message(attachments=ODD, headers={"X-Odd": " \t kept  as it is "}).replace(b"Hello.", b"\xff\0 Hi")
    made = after(raw, names="run.exe", note="gone")
    [part] = [part for part in parse(raw).attachments if part.filename == "run.exe"]
    assert made.startswith(raw[: part.start])
    assert made.endswith(raw[part.end :])
    assert b"gone" in made[part.start : len(made) - len(raw[part.end :])]


def test_text_and_html_of_the_body_are_no_attachments() -> None:
    raw = testing.message(html="<p>Hello</p>")
    assert after(raw) == raw


def test_the_note_can_name_what_was_taken_out() -> None:
    made = after(testing.message(attachments=ODD), note="{{ attachment.name }}: {{ attachment.size }} octets")
    assert [name for name in ("a.pdf: ", "run.exe: 1200", "b.txt: ") if name.encode() not in made] == []


def test_the_note_can_hold_values_and_no_header_comes_of_them() -> None:
    raw = testing.message(subject="x\r\n Content-Type: text/html", attachments=["a.exe"])
    made = parse(after(raw, note="{{ subject }} was taken out"))
    assert "was taken out" in (made.text or "") + "".join(part.text for part in made.parts)
    assert "text/html" not in [part.content_type for part in made.parts]


def test_a_hostile_name_is_shown_as_a_safe_one() -> None:
    [outcome] = stripped(testing.message(attachments=["../../etc/\u202epasswd"]))
    assert outcome.target == "passwd"


def test_an_attachment_without_a_name_is_told_by_its_part() -> None:
    raw = testing.message(attachments=["x.pdf"]).replace(b'; filename="x.pdf"', b"")
    [outcome] = stripped(raw)
    assert outcome.target == "part 2"
    assert isinstance(outcome.edit, DropPart)


def left_by_steps(raw: bytes, *names: str) -> tuple[list[str], list[str | None]]:
    """What one step after the other takes out, and the names of what is left."""
    do = tuple(steps.step("strip").model_validate({"names": name}) for name in names)
    rules = Pipeline(name="p", version="1", rules=(Rule(name="r", when=None, do=do),))
    made = plan({"p": rules}, "p", testing.view(raw), testing.tools())
    left = parse(b"".join(edited(raw, made.edits))).attachments
    return [line.target for line in made.lines if line.word == "strip"], [part.filename for part in left]


def test_two_steps_one_after_the_other_take_out_what_each_means() -> None:
    raw = testing.message(attachments=["a.exe", "b.pdf", "c.txt"])
    assert left_by_steps(raw, "*.exe", "*.pdf") == (["a.exe", "b.pdf"], ["c.txt"])


@pytest.mark.parametrize("names", ["acd", "dca", "bca", "dab", "abcde", "edcba", "badce"])
def test_files_within_a_text_are_taken_out_by_steps_one_after_the_other(names: str) -> None:
    uu = "".join(f"begin 644 {name}\n#0V%T\n`\nend\n\n" for name in "abcde")
    left = [name for name in "abcde" if name not in names]
    assert left_by_steps(testing.message(text=uu), *names) == ([*names], left)


def test_files_within_a_text_are_taken_out_one_by_one() -> None:
    uu = "begin 644 a.exe\n#0V%T\n`\nend\n\nbegin 644 b.pdf\n#0V%T\n`\nend\n\nbegin 644 c.exe\n#0V%T\n`\nend\n"
    made = after(testing.message(text=uu), names="*.exe")
    assert [part.filename for part in parse(made).attachments] == ["b.pdf"]
