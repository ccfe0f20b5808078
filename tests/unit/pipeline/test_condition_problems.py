"""What is said about a condition that cannot be read, and about files of patterns."""

import os
from pathlib import Path
from typing import Any

import pytest

from postroom import testing
from postroom.errors import Problem
from postroom.pipeline.conditions import compile_condition

NOWHERE = Path("/nonexistent")


def problems_of(when: object, directory: Path = NOWHERE) -> list[Problem]:
    problems: list[Problem] = []
    assert compile_condition(when, ("when",), problems, directory=directory) is None
    return problems


BAD: list[tuple[str, object, str, str]] = [
    ("no mapping", "x", "when", "a mapping of fields"),
    ("null", None, "when", "a mapping of fields"),
    ("empty", {}, "when", "leave `when` out"),
    ("unknown field", {"subjct": "x"}, "when.subjct", "did you mean `subject`?"),
    ("unknown field like no other", {"zzzz": "x"}, "when.zzzz", "known here: `age`, `all`"),
    ("field in capitals", {"Subject": "x"}, "when.Subject", "did you mean `subject`?"),
    ("no header name", {"header.": "x"}, "when.header.", "`header.<Name>`"),
    ("no name of a header", {"header.X Y": "x"}, "when.header.X Y", "unknown field"),
    ("unknown operator", {"subject": {"contain": "x"}}, "when.subject.contain", "did you mean `contains`?"),
    ("unknown part of an address", {"to": {"nam": "x"}}, "when.to.nam", "did you mean `name`?"),
    ("unknown part of an attachment", {"attachment": {"nam": "x"}}, "when.attachment.nam", "did you mean `name`?"),
    ("unknown part of spam", {"spam": {"scor": 1}}, "when.spam.scor", "did you mean `score`?"),
    ("unknown operator of a date", {"date": {"before": "x"}}, "when.date.before", "`exists`"),
    ("null value", {"subject": None}, "when.subject", "YAML takes `~`"),
    ("null in a list", {"subject": ["a", None]}, "when.subject.1", "YAML takes `~`"),
    ("null of an operator", {"subject": {"is": None}}, "when.subject.is", "YAML takes `~`"),
    ("empty list", {"subject": []}, "when.subject", "the list is empty"),
    ("empty list of an operator", {"subject": {"is": []}}, "when.subject.is", "the list is empty"),
    ("empty list of sizes", {"size": []}, "when.size", "the list is empty"),
    ("empty mapping", {"subject": {}}, "when.subject", "an operator is missing"),
    ("empty all", {"all": []}, "when.all", "a list of conditions"),
    ("any of no list", {"any": {"subject": "x"}}, "when.any", "a list of conditions"),
    ("any of null", {"any": [None]}, "when.any.0", "a mapping of fields"),
    ("not of a list", {"not": [{"subject": "x"}]}, "when.not", "a mapping of fields"),
    ("not of nothing", {"not": {}}, "when.not", "leave `when` out"),
    ("a number for text", {"subject": 5}, "when.subject", "quote it"),
    ("true for text", {"subject": True}, "when.subject", "quote it"),
    ("a list that was to be text", {"subject": [["invoice"]]}, "when.subject.0", "begins with `[`"),
    ("a mapping that was to be text", {"subject": {"is": {"a": 1}}}, "when.subject.is", "begins with `{`"),
    ("text for a truth", {"bulk": "yes"}, "when.bulk", "`true` or `false`"),
    ("text for exists", {"subject": {"exists": "yes"}}, "when.subject.exists", "`true` or `false`"),
    ("nothing that is something", {"subject": {"exists": False, "is": "x"}}, "when.subject.exists", "nothing else"),
    ("nobody with a name", {"cc": {"exists": False, "name": "x"}}, "when.cc.exists", "nothing else"),
    ("every of a part", {"from": {"name": {"every": "x"}}}, "when.from.name", "the whole field"),
    ("not below a field", {"subject": {"not": "x"}}, "when.subject.not", "`not: {subject: …}`"),
    ("a header in a mapping", {"header": {"X-Foo": "x"}}, "when.header", "`header.X-Foo`"),
    ("a header by its name", {"X-Foo": "x"}, "when.X-Foo", "`header.X-Foo`"),
    ("a field of another tool", {"return-path": "x"}, "when.return-path", "here that is `sender`"),
    ("an operator of another tool", {"subject": {"equals": "x"}}, "when.subject.equals", "here that is `is`"),
    ("an anchor of a regular expression", {"subject": "^Re:"}, "when.subject", "between slashes"),
    ("anything, of a regular expression", {"to": ".*@example.com"}, "when.to", "between slashes"),
    ("the end of a regular expression", {"to": "me@.*$"}, "when.to", "between slashes"),
    ("a class of a regular expression", {"subject": "order \\d+"}, "when.subject", "between slashes"),
    ("a flag of a regular expression", {"subject": "(?i)order"}, "when.subject", "between slashes"),
    ("lone backslash", {"subject": "a\\"}, "when.subject", "write `\\\\`"),
    ("long glob", {"subject": "x" * 1001}, "when.subject", "at most 1000"),
    ("bad search", {"subject": "/(/"}, "when.subject", "missing )"),
    ("look-ahead", {"subject": "/a(?=b)/"}, "when.subject", "no look-around"),
    ("back-reference", {"subject": r"/(a)\1/"}, "when.subject", "no back-references"),
    ("repeat too often", {"subject": "/a{1001}/"}, "when.subject", "repeats go up to 1000"),
    ("nested repeats", {"subject": "/((a{100}){100}){100}/"}, "when.subject", "repeats go up to 1000"),
    ("too large to compile", {"subject": r"/\pL{900}/"}, "when.subject", "use smaller repeats"),
    (
        "too many instructions",
        {"subject": "/(abcdefghijk){950}/"},
        "when.subject",
        "costly",
    ),
    ("long search", {"subject": {"regex": "x" * 10_001}}, "when.subject.regex", "use in-file"),
    ("group with an underscore", {"subject": "/(?P<_x>a)/"}, "when.subject", "cannot be named"),
    ("unit of size", {"size": "> 10 parsecs"}, "when.size", "a size is expected"),
    ("sign alone", {"size": ">"}, "when.size", "a size is expected"),
    ("comma behind", {"size": "> 1MB,"}, "when.size", "a size is expected"),
    ("truth for a size", {"size": True}, "when.size", "a size is expected"),
    ("size of an attachment", {"attachment": {"size": "big"}}, "when.attachment.size", "a size is expected"),
    ("number of attachments", {"attachments": "many"}, "when.attachments", "a number is expected"),
    ("an age without unit", {"age": 7}, "when.age", '"< 7d"'),
    ("an age without unit, compared", {"age": "< 7"}, "when.age", '"< 7d"'),
    ("no such day", {"date": "< 2026-02-30"}, "when.date", '"< 2026-01-01"'),
    ("no date", {"received": "yesterday"}, "when.received", '"< 2026-01-01"'),
    ("no such hour", {"time": "25:00-26:00"}, "when.time", '"22:00-06:00"'),
    ("an hour YAML made a number", {"time": 1320}, "when.time", "in quotes"),
    ("an empty part of the day", {"time": "05:00-05:00"}, "when.time", "is empty"),
    ("no such weekday", {"weekday": "monday"}, "when.weekday", "mon, tue, wed"),
    ("unknown method", {"auth": {"dmark": "fail"}}, "when.auth.dmark", "did you mean `dmarc`?"),
    ("no method", {"auth": "fail"}, "when.auth", "name the method"),
    ("no result", {"auth": {}}, "when.auth", "missing"),
    ("unknown part of virus", {"virus": {"names": "x"}}, "when.virus.names", "did you mean `name`?"),
    ("virus, text", {"virus": "Eicar"}, "when.virus", "true"),
    ("no score", {"spam": "high"}, "when.spam", "a number is expected"),
    ("script without a name", {"script": "ocr"}, "when.script", "name the script"),
    ("script without a key", {"script": {"ocr": "de"}}, "when.script", "name the script"),
    ("script, null", {"script": {"ocr": {"lang": None}}}, "when.script.ocr.lang", "YAML takes `~`"),
    ("in-file of a number", {"to": {"in-file": 5}}, "when.to.in-file", "quote it"),
]


@pytest.mark.parametrize(("when", "place", "text"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_what_cannot_be_read_is_told_once_with_its_place_and_the_remedy(when: object, place: str, text: str) -> None:
    [problem] = problems_of(when)
    assert ".".join(map(str, problem.path)) == place
    assert text in problem.text


def test_all_that_is_wrong_is_told_at_once() -> None:
    when = {"subjct": "x", "size": "big", "any": [{"from": 5}, {"not": {"bulk": "no"}}], "to": {"name": 1, "nam": "x"}}
    places = {problem.path[1:] for problem in problems_of(when)}
    expected = {("subjct",), ("size",), ("any", 0, "from"), ("any", 1, "not", "bulk"), ("to", "name"), ("to", "nam")}
    assert places == expected


def test_only_an_unknown_key_is_a_problem_of_the_key() -> None:
    assert [problem.key for problem in problems_of({"subjct": "x", "size": "big"})] == [True, False]


def test_conditions_as_deep_as_no_stack_holds_are_refused_not_followed() -> None:
    deep: dict[str, Any] = {"subject": "x"}
    for _ in range(5_000):
        deep = {"not": deep}
    [problem] = problems_of(deep)
    assert "too deep" in problem.text


def write(path: Path, text: str, *, second: int) -> None:
    path.write_text(text, encoding="utf-8")
    os.utime(path, (second, second))


def test_a_file_holds_one_glob_a_line_and_is_read_again_when_it_has_changed(tmp_path: Path) -> None:
    listed = tmp_path / "vip.txt"
    write(listed, "\ufeff# people\n\n  ann@example.org  \r\n*@example.net\n", second=1_000)
    problems: list[Problem] = []
    condition = compile_condition({"from": {"in-file": "vip.txt"}}, (), problems, directory=tmp_path)
    assert condition is not None

    def listed_now(sender: str) -> bool | None:
        return condition.ask(testing.view(testing.message(from_=sender))).held

    assert [listed_now(sender) for sender in ("ann@example.org", "x@example.net", "# people")] == [True, True, False]
    write(listed, "bob@example.org\n", second=2_000)
    assert [listed_now("ann@example.org"), listed_now("bob@example.org")] == [False, True]
    write(listed, "ends in a single \\\n", second=3_000)
    assert listed_now("bob@example.org") is True
    listed.unlink()
    assert listed_now("bob@example.org") is True


@pytest.mark.parametrize(
    ("octets", "text"),
    [(None, "there is no file `l.txt`"), (b"good\nbad\\\n", "line 2"), (b"\xff\xfe\xff", "not UTF-8")],
    ids=["missing", "a bad line", "not UTF-8"],
)
def test_a_file_that_cannot_be_used_is_a_problem(tmp_path: Path, octets: bytes | None, text: str) -> None:
    if octets is not None:
        (tmp_path / "l.txt").write_bytes(octets)
    [problem] = problems_of({"from": {"in-file": "l.txt"}}, tmp_path)
    assert text in problem.text
