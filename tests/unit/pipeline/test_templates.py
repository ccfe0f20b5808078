"""Templates attacked: whatever a stranger writes stays one line, one segment, one argument, one address, one value."""

import unicodedata
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from postroom import testing
from postroom.model import Model
from postroom.pipeline.templates import (
    AddressTemplate,
    ArgumentTemplate,
    AttachmentValue,
    FolderTemplate,
    HeaderTemplate,
    PathTemplate,
    SegmentTemplate,
    Template,
    TextTemplate,
    UrlTemplate,
)
from postroom.pipeline.view import Auth, Envelope, Facts, Spam, View
from postroom.steps.location import located

TOOLS = testing.tools()
HOSTILE = st.one_of(
    st.text(max_size=60),
    st.text(st.sampled_from("a./\\~-%*\r\n\0\t {}<>@:;\u2028\u2029\x85\u202e\u2215\uff0f\ud800é"), max_size=60),
    st.sampled_from(
        ["..", ".", "/", "", " ", "-", "--rcfile=x", "~root", "{{ subject }}", "{% for x in y %}", "a" * 5000]
    ),
)
KINDS: list[type[Template]] = [
    TextTemplate, HeaderTemplate, PathTemplate, SegmentTemplate, FolderTemplate, ArgumentTemplate, AddressTemplate, UrlTemplate,
]  # fmt: skip


def holding(value: str) -> View:
    """A view of which everything that a sender chooses is this text."""
    return testing.view(match={"x": value}, facts=Facts(script={"s": {"k": value}}), folder=value)


def filled(kind: type[Template], source: str, value: str) -> str:
    return kind(source).render(holding(value), TOOLS)


# What a value can do in each place: with the plain filler, and with Jinja2


@pytest.mark.parametrize(
    "form", ["A {{ match.x }}", "A {% if match.x %}{{ match.x | trim }}{% endif %}"], ids=["plain", "Jinja2"]
)
@given(value=HOSTILE)
@example(value="x\r\nBcc: everybody@example.com")
@example(value="x\u2028y\x85z\x0bq")
def test_no_line_break_and_no_control_character_comes_into_a_header(form: str, value: str) -> None:
    text = filled(HeaderTemplate, form, value)
    assert len(text.splitlines()) == 1
    assert not any(unicodedata.category(char) in {"Cc", "Zl", "Zp", "Cs"} for char in text)
    assert len(text) <= HeaderTemplate.most


@pytest.mark.parametrize("form", ["in/{{ match.x }}", "in/{{ match.x | lower }}"], ids=["plain", "Jinja2"])
@given(value=HOSTILE)
@example(value="../../etc/passwd")
@example(value="..\\..\\windows")
@example(value="a/../b")
@example(value=".\u202e.")
def test_a_value_is_one_segment_of_a_path_and_never_dots(form: str, value: str) -> None:
    segments = filled(PathTemplate, form, value).split("/")
    assert len(segments) == 2
    assert segments[0] == "in"
    assert segments[1].strip() not in {"", ".", ".."}
    assert "\0" not in segments[1]
    assert len(segments[1].encode()) <= 255


@given(first=HOSTILE, second=HOSTILE)
@example(first=".", second=".")
@example(first="", second="..")
def test_two_values_together_make_no_dots_either(first: str, second: str) -> None:
    view = testing.view(match={"x": first, "y": second})
    for source in ("in/{{ match.x }}{{ match.y }}/z", "in/{{ match.x }}.{{ match.y }}/z", "in/.{{ match.x }}./z"):
        head, middle, tail = PathTemplate(source).render(view, TOOLS).split("/")
        assert (head, tail) == ("in", "z")
        assert middle.strip() not in {"", ".", ".."}


@given(value=HOSTILE)
@example(value="~root")
@example(value="/etc/passwd")
def test_a_path_that_begins_with_a_value_stays_below_its_directory(value: str) -> None:
    to = located(PathTemplate("{{ match.x }}"), holding(value), TOOLS, below=Path("/srv/files"))
    assert to.at.parent == Path("/srv/files")
    assert to.below == Path("/srv/files")


def test_a_home_directory_is_what_the_operator_wrote_and_never_what_a_sender_did(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HOME", "/home/ann")
    assert located(PathTemplate("~/{{ match.x }}"), holding("~"), TOOLS, below=Path("/srv")).at == Path("/home/ann/~")
    assert located(PathTemplate("{{ match.x }}/a"), holding("~"), TOOLS, below=Path("/srv")).at == Path("/srv/~/a")


@pytest.mark.parametrize(
    ("source", "root"),
    [("/srv/in/{{ subject }}", "/srv/in/"), ("in/a-{{ subject }}/b", "in/"), ("{{ subject }}/x", ""), ("/srv/all", "/srv/all"),
     ("a/b{% if subject %}/c{% endif %}", "a/")],
)  # fmt: skip
def test_the_root_of_a_path_is_what_stands_in_front_of_the_first_value(source: str, root: str) -> None:
    assert PathTemplate(source).root == root


@given(value=HOSTILE)
@example(value="../x")
def test_a_file_name_is_one_segment(value: str) -> None:
    attachment = AttachmentValue(name=value, type="text/plain", size=1)
    for source in (
        "{{ attachment.name }}",
        "{{ attachment }}",
        "{{ attachment.name | upper }}",
        "{{ match.x }}{{ attachment }}",
    ):
        name = SegmentTemplate(source).render(holding(value), TOOLS, attachment=attachment)
        assert "/" not in name
        assert "\0" not in name
        assert name.strip() not in {"", ".", ".."}
        assert len(name.encode()) <= 255


@given(value=HOSTILE)
@example(value="a/b.c*%")
def test_a_value_is_one_segment_of_a_folder_without_dots_and_wildcards(value: str) -> None:
    head, segment = filled(FolderTemplate, "In/{{ match.x }}", value).split("/")
    assert head == "In"
    assert segment.strip()
    assert not set(segment) & set("/\\.*%\r\n\0")


@given(value=HOSTILE)
@example(value="--rcfile=/etc/shadow")
@example(value=" \n--x")
def test_a_value_is_one_argument_and_makes_no_option(value: str) -> None:
    text = filled(ArgumentTemplate, "{{ match.x }}", value)
    assert not text.startswith("-")
    assert not set(text) & set("\0\r\n")
    assert filled(ArgumentTemplate, "--from={{ match.x }}", value).startswith("--from=")


@given(value=HOSTILE)
@example(value="a@example.com, b@example.com")
@example(value="a@example.com\r\nBcc: b@example.com")
def test_values_make_one_address_or_none(value: str) -> None:
    text = filled(AddressTemplate, "{{ match.x }}", value)
    assert not set(text) & set("\r\n\0<>,;")
    assert text == "" or text.rpartition("@")[2]


@given(value=HOSTILE)
@example(value="../admin?x=1#y")
@example(value="..")
def test_a_value_stays_one_component_of_a_url(value: str) -> None:
    text = filled(UrlTemplate, "https://x.example/a/{{ match.x }}/b", value)
    middle = text.removeprefix("https://x.example/a/").removesuffix("/b")
    assert text.startswith("https://x.example/a/")
    assert text.endswith("/b")
    assert not set(middle) & set("/?#&=:@\r\n ")
    assert middle not in {".", ".."}
    assert unquote(middle) == middle or "%" in middle


@given(value=HOSTILE)
def test_text_keeps_its_lines_and_loses_control_characters(value: str) -> None:
    text = filled(TextTemplate, "{{ match.x }}", value)
    assert not any(ord(char) < 32 for char in text if char not in "\t\n")
    text.encode()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@given(value=HOSTILE)
def test_what_stands_in_a_value_is_never_a_template_itself(kind: type[Template], value: str) -> None:
    text = kind("{{ match.x }}{{ match.x | default('') }}").render(
        holding(f"{value}{{{{ mailbox }}}}{{% raw %}}"), TOOLS
    )
    assert "test" not in text.replace(value, "")


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@given(raw=st.binary(max_size=200))
@example(raw=b"From: \xff\xfe\r\nDate: Mon, 1 Jan 0001 00:00:00 +2359\r\nSubject: =?x?y?=\r\n\r\n")
def test_no_message_makes_a_template_fail(kind: type[Template], raw: bytes) -> None:
    names = (
        "from from.name to.domain sender recipient.local subject date date.week received.year message_id size list_id"
    )
    view = testing.view(raw, envelope=Envelope(sender="\udcff", recipients=("",)))
    for name in (*names.split(), "date.strftime('%Y %A')", "subject | length", "facts.tags | first", "subject < size"):
        kind(f"x{{{{ {name} }}}}").render(view, TOOLS).encode()


# Values


VIEW = testing.view(
    testing.message(from_="Ann B <ann+list@example.org>", headers={"List-Id": "<dev.example.org>"}),
    folder="INBOX", match={"n": "17"}, received=datetime(2026, 3, 1, 20, 5, 9, tzinfo=UTC),
    facts=Facts(auth=Auth(dmarc="fail"), spam=Spam(score=6.5, verdict="spam", symbols=("A", "B")), tags=frozenset({"y", "x"}), script={"s": {"k": [1, "b"]}}),
)  # fmt: skip
VALUES = [
    ("{{ from }}", "ann+list@example.org"), ("{{ from.spec }}", "ann+list@example.org"), ("{{ from.name }}", "Ann B"),
    ("{{ from.local }}", "ann+list"), ("{{ from.detail }}", "list"), ("{{from.domain}}", "example.org"),
    ("{{ to }}", "bob@example.com"), ("{{ sender.domain }}", "example.org"), ("{{ recipient.local }}", "bob"),
    ("{{ subject }}", "Hello"), ("{{ list_id }}", "dev.example.org"), ("{{ mailbox }}/{{ folder }}/{{ key }}", "test/INBOX/test-message"),
    ("{{ received }}", "2026-03-02T05:05:09+09:00"), ("{{ received.year }}-{{ received.month }}-{{ received.day }}", "2026-03-02"),
    ("{{ received.hour }}{{ received.minute }}{{ received.second }}", "050509"), ("{{ received.weekday }}", "mon"),
    ("{{ received.strftime('%d.%m.%Y') }}", "02.03.2026"), ("{{ date.date }}", "2026-03-01"), ("{{ match.n }}", "17"),
    ("{{ facts.spam.score }} {{ facts.spam.verdict }}", "6.5 spam"), ("{{ facts.spam.symbols | join(' ') }}", "A B"),
    ("{{ facts.auth.dmarc }}{{ facts.auth.policy }}", "fail"), ("{{ facts.tags }}", "x, y"), ("{% for tag in facts.tags %}[{{ tag }}]{% endfor %}", "[x][y]"),
    ("{{ facts.script.s.k }}", "1, b"), ("{{ facts.script['s'].k | last }}", "b"), ("{{ subject | upper }}", "HELLO"),
    ("{{ match.missing | default('none', true) }}", "none"), ("{% if facts.duplicate %}again{% else %}first{% endif %}", "first"),
    ("100% {plain} }", "100% {plain} }"),
]  # fmt: skip


@pytest.mark.parametrize(("source", "text"), VALUES, ids=[source for source, _ in VALUES])
def test_values(source: str, text: str) -> None:
    assert TextTemplate(source).render(VIEW, testing.tools(timezone=ZoneInfo("Asia/Tokyo"))) == text


LISTS = testing.view(
    facts=Facts(
        spam=Spam(symbols=("A", "B")),
        tags=frozenset({"y", "x", "z"}),
        script={"s": {"k": [1, ["b", True]], "m": {"a": 1}}},
    )
)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("{{ facts.tags }}", "x, y, z"),
        ("{{ facts.tags | upper }}", "X, Y, Z"),
        ("{{ 'tags: ' ~ facts.tags }}", "tags: x, y, z"),
        ("{{ facts.tags | string | replace(',', ';') }}", "x; y; z"),
        ("{{ facts.tags | sort(true) | string }}", "z, y, x"),
        ("{{ facts.tags | unique | title }}", "X, Y, Z"),
        ("{{ facts.spam.symbols | lower }}", "a, b"),
        ("{{ facts.script.s.k | trim }}", "1, b, true"),
        ("{{ facts.script.s.k | join('+') }}", "1+b, true"),
        ("<{{ facts.script.s.m | string }}{{ facts.script.s | trim }}{{ facts ~ '' }}>", "<>"),
        ("{{ facts.script.s.m.a ~ '/' ~ facts.spam.symbols }}", "1/A, B"),
    ],
    ids=lambda each: each,
)
def test_a_list_of_facts_prints_joined_by_commas_whatever_makes_text_of_it(source: str, text: str) -> None:
    assert TextTemplate(source).render(LISTS, TOOLS) == text


@pytest.mark.parametrize(
    "value", [frozenset({"b", "a"}), {"b", "a"}, ("a", "b"), ["a", "b"]], ids=lambda value: type(value).__name__
)
def test_lists_and_sets_are_text_in_every_place(value: object) -> None:
    assert {kind.clean(value) for kind in KINDS} == {"a, b", "a%2C%20b"}


@pytest.mark.parametrize(
    "name",
    ["from", "from.name", "to.domain", "sender", "recipient.local", "subject", "message_id", "list_id", "folder", "match.x",
     "facts.spam.score", "facts.spam.symbols", "facts.auth.dmarc", "facts.duplicate", "facts.tags", "facts.script.s", "facts.script.s.k.l"],
)  # fmt: skip
def test_an_absent_value_is_empty(name: str) -> None:
    view = testing.view(b"X: y\r\n\r\n", envelope=Envelope())
    assert TextTemplate(f"<{{{{ {name} }}}}>").render(view, TOOLS) == "<>"
    assert TextTemplate(f"<{{{{ {name} }}}}>{{# Jinja2 #}}").render(view, TOOLS) == "<>"


@pytest.mark.parametrize("name", ["from.name", "subject", "message_id", "match.x", "facts.spam.verdict"])
def test_an_absent_value_is_empty_to_filters_too(name: str) -> None:
    view = testing.view(b"X: y\r\n\r\n", envelope=Envelope())
    assert TextTemplate(f"<{{{{ {name} | trim }}}}>").render(view, TOOLS) == "<>"


def test_a_missing_date_is_the_arrival() -> None:
    assert TextTemplate("{{ date.date }}").render(testing.view(b"X: y\r\n\r\n"), TOOLS) == "2026-03-01"


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_template_that_names_values_only_gives_what_jinja2_gives(kind: type[Template]) -> None:
    simple = kind("a-{{ match.x }}-{{ from.domain }}")
    full = kind("a-{{ match.x }}-{{ from.domain }}{# Jinja2 #}")
    for value in ("x", "../y", "two\r\nlines", "", "ä/ö"):
        assert simple.render(holding(value), TOOLS) == full.render(holding(value), TOOLS)


# What is refused when the file is read


REFUSED: list[tuple[str, type[Template], str, str]] = [
    ("an unknown name", TextTemplate, "{{ subjekt }}", "did you mean `subject`?"),
    ("an unknown name in Jinja2", TextTemplate, "{% if subjekt %}x{% endif %}", "did you mean `subject`?"),
    ("an unknown attribute", TextTemplate, "{{ from.domian }}", "did you mean `domain`?"),
    ("an attribute of a text", TextTemplate, "{{ subject.upper }}", "no attribute"),
    ("an attribute of Python's", TextTemplate, "{{ from.__class__ }}", "underscore"),
    ("an attribute of Python's, of a fact", TextTemplate, "{{ match.__class__ }}", "underscore"),
    ("by a subscript", TextTemplate, "{{ from['__class__'] }}", "underscore"),
    ("the attachment elsewhere", HeaderTemplate, "{{ attachment.name }}", "no value `attachment`"),
    ("an unknown filter", TextTemplate, "{{ subject | uper }}", "did you mean `upper`?"),
    ("a filter that grows", TextTemplate, "{{ subject | center(1000000000) }}", "no filter `center`"),
    ("a call", TextTemplate, "{{ subject.format(1) }}", "calls nothing but"),
    (
        "a loop in a loop",
        TextTemplate,
        "{% for a in facts.tags %}{% for b in facts.tags %}{% endfor %}{% endfor %}",
        "a loop is",
    ),
    ("range", TextTemplate, "{% for a in range(9) %}{% endfor %}", "calls nothing but"),
    ("arithmetic", TextTemplate, "{{ size * 1000 }}", "cannot hold `*`"),
    ("a power", TextTemplate, "{{ 9 ** 9 }}", "cannot hold `**`"),
    ("a macro", TextTemplate, "{% macro a() %}{% endmacro %}", "macros"),
    ("an include", TextTemplate, "{% include '/etc/passwd' %}", "include"),
    ("a directive with a width", TextTemplate, "{{ received.strftime('%1000000000d') }}", "without flags or widths"),
    ("what does not parse", TextTemplate, "{{ subject", "is not closed"),
    ("two lines in a header", HeaderTemplate, "a\nb", "one line"),
    ("an empty path", PathTemplate, " ", "a path is expected"),
    ("a path that goes back", PathTemplate, "a/{{ subject }}/../b", "`..` cannot stand behind"),
    ("NUL in a path", PathTemplate, "a\0b", "a path is expected"),
    ("a directory for a name", SegmentTemplate, "a/{{ attachment.name }}", "without `/`"),
    ("an empty folder", FolderTemplate, "/", "a folder is expected"),
    ("NUL in an argument", ArgumentTemplate, "a\0", "NUL"),
    ("no address", AddressTemplate, "nobody", "somebody@example.com"),
]


@pytest.mark.parametrize(("kind", "source", "text"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_a_template_that_cannot_be_is_refused_with_the_remedy(kind: type[Template], source: str, text: str) -> None:
    with pytest.raises(ValueError) as raised:
        kind(source)
    assert text in str(raised.value)


def test_a_template_says_which_groups_and_facts_it_uses() -> None:
    template = TextTemplate(
        "{{ match.a }}{% if facts.spam.score > 5 %}{{ match.b }}{% endif %}{{ facts.script.ocr.k }}{{ facts.tags }}"
    )
    assert template.groups == {"a", "b"}
    assert template.facts == {"spam", "script.ocr", "tag"}


def test_in_a_model_it_is_read_from_text_and_written_as_its_source() -> None:
    class Options(Model):
        to: PathTemplate

    options = Options.model_validate({"to": "in/{{ from.domain }}"})
    assert options.model_dump(mode="json") == {"to": "in/{{ from.domain }}"}
    assert options == Options.model_validate({"to": "in/{{ from.domain }}"})
    with pytest.raises(ValidationError, match="put it in quotes"):
        Options.model_validate({"to": 5})


def test_long_values_and_results_are_cut() -> None:
    assert len(filled(HeaderTemplate, "{{ match.x }}" * 3, "x" * 9_000)) == HeaderTemplate.most
    assert len(filled(ArgumentTemplate, "{{ match.x }}", "x" * 50_000)) == ArgumentTemplate.most
