"""YAML 1.2 read with places, and everything that is refused."""

import sys

import pytest

from postroom.errors import Misconfigured, Problem
from postroom.settings.document import SIZE_LIMIT, parse_document


def said(text: str | bytes) -> list[str]:
    """What is wrong with a text, without the file's name."""
    raw = text if isinstance(text, bytes) else text.encode()
    try:
        problems = parse_document(raw, "f").problems
    except Misconfigured as error:
        problems = error.problems
    return [str(one).removeprefix("f:") for one in problems]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param("no", "no", id="no is text"),
        pytest.param("Yes", "Yes", id="yes is text"),
        pytest.param("off", "off", id="off is text"),
        pytest.param("true", True, id="true"),
        pytest.param("FALSE", False, id="FALSE"),
        pytest.param("tRUE", "tRUE", id="odd case is text"),
        pytest.param("~", None, id="tilde"),
        pytest.param("null", None, id="null"),
        pytest.param("0o17", 15, id="octal"),
        pytest.param("0x1F", 31, id="hexadecimal"),
        pytest.param("010", 10, id="a leading zero is decimal"),
        pytest.param("-12", -12, id="negative"),
        pytest.param("+12", 12, id="plus"),
        pytest.param("1_000", "1_000", id="underscores are text"),
        pytest.param("0b11", "0b11", id="binary is text"),
        pytest.param("12:30", "12:30", id="no sexagesimals"),
        pytest.param("2026-03-01", "2026-03-01", id="no timestamps"),
        pytest.param("1.5e3", 1500.0, id="exponent"),
        pytest.param(".5", 0.5, id="point first"),
        pytest.param("5.", 5.0, id="point last"),
        pytest.param("1.2.3", "1.2.3", id="a version is text"),
        pytest.param("5.7.1", "5.7.1", id="an enhanced status is text"),
        pytest.param("'12'", "12", id="quoted number is text"),
        pytest.param('"null"', "null", id="quoted null is text"),
        pytest.param("'*invoice*'", "*invoice*", id="quoted star"),
        pytest.param("|\n  two\n  lines", "two\nlines\n", id="block text"),
        pytest.param("[a, 1, {b: c}]", ["a", 1, {"b": "c"}], id="nested"),
        pytest.param("-", [None], id="empty entry"),
        pytest.param("=", "=", id="equals sign is text"),
        pytest.param("<", "<", id="less than"),
        pytest.param("< 10MB", "< 10MB", id="comparison"),
    ],
)
def test_a_scalar_is_what_yaml_1_2_says(text: str, value: object) -> None:
    document = parse_document(f"{text}\n".encode(), "f")
    assert document.data == value
    assert type(document.data) is type(value)
    assert document.problems == ()


def test_merge_keys_are_ordinary_keys() -> None:
    assert parse_document(b"<<: {a: 1}", "f").data == {"<<": {"a": 1}}


QUOTE = "text that begins with `{}` must be quoted: YAML reads it as its own sign"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("from: *@example.com", ["1:8: " + QUOTE.format("*")], id="star"),
        pytest.param("from: *invoice*\nb: 1", ["1:15: " + QUOTE.format("*")], id="star at both ends"),
        pytest.param("from: [*@x, b]", ["1:9: " + QUOTE.format("*")], id="star in a list"),
        pytest.param("from: @example.com", ["1:7: " + QUOTE.format("@")], id="at"),
        pytest.param("- @example.com", ["1:3: " + QUOTE.format("@")], id="at in a list"),
        pytest.param("to: {{ a }}/b", ["1:12: " + QUOTE.format("{{")], id="braces"),
        pytest.param("size: > 10MB", ["1:9: " + QUOTE.format(">")], id="more than"),
        pytest.param("spam: >= 6", ["1:8: " + QUOTE.format(">")], id="at least"),
        pytest.param("a: `x`", ["1:4: " + QUOTE.format("`")], id="backtick"),
        pytest.param("a: %x", ["1:4: " + QUOTE.format("%")], id="percent"),
        pytest.param(
            "from: *invoice",
            ["1:7: from: `*` makes an alias in YAML, which is not used here; quote text that begins with `*`"],
            id="alias",
        ),
        pytest.param(
            "a: &x b",
            ["1:4: a: `&` makes an anchor in YAML, which is not used here; quote text that begins with `&`"],
            id="anchor",
        ),
        pytest.param(
            "a: !x b",
            ["1:4: a: `!` makes a tag in YAML, which is not used here; quote text that begins with `!`"],
            id="tag",
        ),
        pytest.param(
            "to: {{ a }}",
            ["1:6: to: a key must be plain text; text that begins with `{{`, `[`, `*`, `&` or `!` must be quoted"],
            id="braces alone",
        ),
        pytest.param(
            "a: b: c",
            ["1:5: `: ` inside a value must be quoted, and keys that belong together must be indented alike"],
            id="colon in a value",
        ),
        pytest.param("a: 1\nb: 2\na: 3", ["3:1: a: the key `a` stands here twice, first in line 1"], id="twice"),
        pytest.param("1: a", ["1:1: a key must be text: put it in quotes"], id="number as key"),
        pytest.param("null: a", ["1:1: a key must be text: put it in quotes"], id="null as key"),
        pytest.param("---\na: 1\n---\nb: 2", ["3:1: a second document begins here; a file holds one"], id="two"),
        pytest.param("a:\n\tb: 1", ["2:1: indent with spaces: YAML does not take tabs"], id="tab"),
        pytest.param("a: 'x\nb: 2", ["1:4: a quote is opened here and never closed"], id="open quote"),
        pytest.param(
            "a: [b\nc",
            ["3:1: a `,` or the closing `]` is missing; quote text that holds `[`, `{` or `,`"],
            id="open bracket",
        ),
        pytest.param("a: .inf", ["1:4: a: this number is not finite"], id="infinite"),
        pytest.param("a: 1e999", ["1:4: a: this number is not finite"], id="too large a number"),
        pytest.param('a: "\\0"', ["1:4: a: this text holds a control character"], id="escaped NUL"),
        pytest.param('"a\\nb": 1', ["1:1: a key is one line of characters that print"], id="line break in a key"),
        pytest.param('"\\e[31m": 1', ["1:1: a key is one line of characters that print"], id="escape in a key"),
        pytest.param(b"a: b\x01", ["1:5: the control character U+0001 does not belong into a text file"], id="control"),
        pytest.param(b"a: 1\nb: \xff", ["2:4: the file is not UTF-8 here; save it as UTF-8"], id="not UTF-8"),
        pytest.param("a: " + "[" * 99 + "]" * 99, ["1:64: the nesting is too deep"], id="depth"),
        pytest.param(b" " * (SIZE_LIMIT + 1), ["1:1: the file is larger than 4 MB"], id="size"),
    ],
)
def test_what_would_surprise_is_refused_with_a_remedy(text: str | bytes, expected: list[str]) -> None:
    assert said(text) == expected


def test_a_bomb_of_aliases_does_not_grow() -> None:
    bomb = "a: &a [x, x]\n" + "\n".join(
        f"{name}: &{name} [*{before}, *{before}]" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
    )
    document = parse_document(bomb.encode(), "f")
    assert len(document.problems) == 9 + 16
    assert document.data == {"a": ["x", "x"], **{name: [None, None] for name in "bcdefghi"}}


def test_every_fault_of_writing_is_told_at_once() -> None:
    assert len(said("a: &x 1\na: 2\n3: !t b\n")) == 4


def test_places_are_those_of_keys_and_values() -> None:
    source = parse_document(b"a:\n  - b: 1\n    c: 2\n", "f").source
    value = source.locate(Problem(("a", 0, "c"), "x"))
    key = source.locate(Problem(("a", 0, "c"), "x", key=True))
    assert (value.line, value.column, key.line, key.column) == (3, 8, 3, 5)


def test_a_key_that_is_missing_is_told_at_what_holds_it() -> None:
    source = parse_document(b"a:\n  b:\n    c: 1\n", "f").source
    assert str(source.locate(Problem(("a", "b", "d"), "is missing"))) == "f:2:3: a.b.d: is missing"


def test_columns_count_characters_not_octets() -> None:
    assert said("{ä: ö, ü: &x 1}")[0].startswith("1:11: ü: ")


@pytest.mark.parametrize("cut", range(0, 120, 7))
def test_no_cut_of_a_file_makes_anything_but_problems(cut: int) -> None:
    text = 'a: {b: [1, "x"], c: \'y\'}\nd:\n  - |\n    text\n  - {e: >-\n    folded}\nf: ["{{ g }}", *h, &i j, !k l]\n# end\n'
    said(text[:cut])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("a: [1, {b: 'x'}]\nc: no\n", [], id="good"),
        pytest.param("a: 1\na: 2", ["2:1: a: the key `a` stands here twice, first in line 1"], id="twice"),
        pytest.param("from: *@example.com", ["1:8: " + QUOTE.format("*")], id="star"),
        pytest.param("from: @example.com", ["1:7: " + QUOTE.format("@")], id="at"),
        pytest.param("size: > 10MB", ["1:9: " + QUOTE.format(">")], id="more than"),
    ],
)
def test_a_pyyaml_built_without_libyaml_says_the_same(
    text: str, expected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "yaml._yaml", None)
    assert said(text) == expected
