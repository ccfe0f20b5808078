"""Pipeline files: what is accepted, and what is told of the rest, in one file and between several."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from postroom.errors import Misconfigured
from postroom.settings import load_pipeline, load_pipelines
from postroom.steps.copy import CopyStep
from postroom.steps.move import MoveStep
from postroom.steps.stop import StopStep

if TYPE_CHECKING:
    from tests.unit.settings.conftest import Site


@pytest.mark.parametrize(
    ("do", "words"),
    [
        pytest.param("keep", ["keep"], id="a word"),
        pytest.param("{move: A}", ["move"], id="one step"),
        pytest.param("[keep, stop]", ["keep", "stop"], id="words"),
        pytest.param("[{copy: A}, {move: {folder: B, create: false}}, stop]", ["copy", "move", "stop"], id="all forms"),
        pytest.param("[{tag: [a, b]}]", ["tag"], id="a list for the main option"),
    ],
)
def test_steps_are_words_values_or_mappings(site: "Site", do: str, words: list[str]) -> None:
    site.pipeline("main", f"rules: [{{name: a, do: {do}}}]")
    (rule,) = load_pipelines(site.settings())["main"].rules
    assert [step.word for step in rule.do] == words


def test_a_pipeline_is_its_rules_in_order_with_their_lines(site: "Site") -> None:
    site.pipeline(
        "main",
        """\
        name: main
        description: A sentence.
        match: first
        rules:
          - name: one
            when: {subject: "*a*"}
            do: {move: A}

          - name: two
            do: [{copy: B}, stop]
        """,
    )
    pipeline = load_pipelines(site.settings(), ["main"])["main"]
    assert (pipeline.name, pipeline.match) == ("main", "first")
    assert [(rule.name, rule.line, rule.when is None) for rule in pipeline.rules] == [
        ("one", 5, False),
        ("two", 9, True),
    ]
    assert [type(step) for rule in pipeline.rules for step in rule.do] == [MoveStep, CopyStep, StopStep]


def test_the_version_changes_with_the_file_and_only_then(site: "Site") -> None:
    first, again = (load_pipelines(site.settings())["main"].version for _ in "12")
    site.pipeline("main", "rules: [{name: all, do: discard}]")
    assert first == again != load_pipelines(site.settings())["main"].version


def test_only_what_is_needed_is_read(site: "Site") -> None:
    site.pipeline("main", "rules: [{name: a, do: {run: other}}]")
    site.pipeline("other", "rules: [{name: a, do: keep}]")
    site.pipeline("broken", "rules: [")
    assert list(load_pipelines(site.settings(), ["main"])) == ["main", "other"]
    assert list(load_pipelines(site.settings())) == ["main", "other"]


def test_tests_are_kept_as_written_with_their_places(site: "Site", tmp_path: Path) -> None:
    site.pipeline("main", "rules: [{name: a, do: keep}]\ntests:\n  - message: {subject: 1}\n    expect: [keep]\n")
    loaded = load_pipeline(str(tmp_path / "pipelines/main.yaml"))
    assert loaded.file.tests == ((0, {"message": {"subject": 1}, "expect": ["keep"]}),)
    assert loaded.file.source.values["tests", 0, "expect", 0] == (4, 14)


def test_the_default_timeout_is_for_steps_that_give_none(site: "Site") -> None:
    site.write('mailboxes: {a: {url: "stdin:", pipeline: main, store: m}}\ndefaults: {timeout: 7s}')
    site.pipeline("main", "rules: [{name: a, do: [{exec: {command: [a]}}, {exec: {command: [b], timeout: 8s}}, keep]}]")
    (rule,) = load_pipelines(site.settings())["main"].rules
    given = [step.model_dump(mode="json").get("timeout") for step in rule.do]
    assert given == ["7s", "8s", None]


def told(site: "Site", text: str) -> list[str]:
    site.pipeline("main", text)
    return [one.removeprefix("main.yaml:") for one in site.reviewed()]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("", ["1:1: the file is empty; a pipeline needs `rules`"], id="empty file"),
        pytest.param("rules: []", ["1:8: rules: must not be empty"], id="no rules"),
        pytest.param("name: main", ["1:1: rules: is missing here"], id="rules missing"),
        pytest.param("rules:", ["1:7: rules: has no value"], id="rules without value"),
        pytest.param("- a", ["1:1: must be a mapping: `key: value` lines"], id="a list"),
        pytest.param("rules: [a]", ["1:9: rules[0]: must be a mapping: `key: value` lines"], id="a rule of text"),
        pytest.param("name: x\nrules: [{name: a, do: keep}]", ["1:7: name: must be `main`, as the file is named"], id="name"),
        pytest.param(
            "rule: []\nrules: [{name: a, do: keep}]", ["1:1: rule: unknown key `rule`; did you mean `rules`?"], id="key"
        ),
        pytest.param("match: one\nrules: [{name: a, do: keep}]", ["1:8: match: must be `all` or `first`"], id="match"),
        pytest.param("rules: [{do: keep}]", ["1:9: rules[0].name: is missing here"], id="no name"),
        pytest.param("rules: [{name: 7, do: keep}]", ["1:16: rules[0].name: must be text; put it in quotes"], id="name 7"),
        pytest.param("rules: [{name: a}]", ["1:9: rules[0].do: is missing here"], id="nothing to do"),
        pytest.param("rules: [{name: a, do: }]", ["1:23: rules[0].do: has no value"], id="empty do"),
        pytest.param("rules: [{name: a, do: []}]", ["1:23: rules[0].do: must not be empty"], id="empty list"),
        pytest.param(
            "rules: [{name: a, when: , do: keep}]",
            ["1:25: rules[0].when: has no value; leave `when` out where a rule is for every message"],
            id="empty when",
        ),
        pytest.param(
            "rules: [{name: a, whn: {}, do: keep}]",
            ["1:19: rules[0].whn: unknown key `whn`; did you mean `when`?"],
            id="a misspelt when never widens a rule",
        ),
        pytest.param(
            "rules: [{name: a, do: keep}, {name: a, do: keep}]",
            ["1:37: rules[1].name: rule 1 has this name too; logs and traces could not tell them apart"],
            id="two of a name",
        ),
        pytest.param(
            "rules: [{name: a, do: mov}]", ["1:23: rules[0].do: unknown step `mov`; did you mean `move`?"], id="step"
        ),
        pytest.param(
            "rules: [{name: a, do: [{mov: A}]}]",
            ["1:25: rules[0].do[0].mov: unknown step `mov`; did you mean `move`?"],
            id="step with a value",
        ),
        pytest.param(
            "rules: [{name: a, do: [teleport: x]}]",
            ["1:24: rules[0].do[0].teleport: unknown step `teleport`"],
            id="a step that is none",
        ),
        pytest.param(
            "rules: [{name: a, do: [move Junk]}]",
            ["1:24: rules[0].do[0]: unknown step `move Junk`; did you mean `move: Junk`?"],
            id="a colon forgotten",
        ),
        pytest.param(
            'rules: [{name: a, do: "discard, stop"}]',
            ["1:23: rules[0].do: unknown step `discard, stop`; several steps are a list: `[discard, stop]`"],
            id="two in one text",
        ),
        pytest.param(
            "rules: [{name: a, do: [fileinto: A]}]",
            ["1:24: rules[0].do[0].fileinto: unknown step `fileinto`; here that is `move`"],
            id="a word of Sieve",
        ),
        pytest.param(
            "rules: [{name: a, do: [duplicate: message-id]}]",
            ["1:35: rules[0].do[0].duplicate: `duplicate` takes no value: write `duplicate: {by: …}`"],
            id="an option is to be named",
        ),
        pytest.param(
            "rules: [{name: a, do: [move: /var/mail/big]}]",
            [
                "1:30: rules[0].do[0].move: a folder of the mailbox is expected here, such as Archive/2026; "
                "`file` delivers to a path"
            ],
            id="a path for a folder",
        ),
        pytest.param(
            "rules: [{name: a, do: [{move: A, stop: }]}]",
            [
                "1:24: rules[0].do[0]: one step per entry: begin each with `- `, and indent a step's options below its word"
            ],
            id="two in one entry",
        ),
        pytest.param(
            "rules: [{name: a, do: [7]}]",
            ["1:24: rules[0].do[0]: a step is `word`, `word: value` or `word: {option: value}`"],
            id="a number",
        ),
        pytest.param(
            "rules: [{name: a, do: [stop: now]}]",
            ["1:30: rules[0].do[0].stop: `stop` takes no value: write `- stop` alone"],
            id="a value too many",
        ),
        pytest.param(
            "rules: [{name: a, do: [move: ]}]",
            ["1:30: rules[0].do[0].move: has no value: `move` takes the options `folder`, `create`"],
            id="a value missing",
        ),
        pytest.param(
            "rules: [{name: a, do: [move: {foldr: A}]}]",
            [
                "1:24: rules[0].do[0].move.folder: is missing here",
                "1:31: rules[0].do[0].move.foldr: unknown option `foldr`; did you mean `folder`?",
            ],
            id="option",
        ),
        pytest.param(
            "rules: [{name: a, do: [copy: {folder: A, create: no}]}]",
            [
                "1:50: rules[0].do[0].copy.create: must be true or false (`yes`, `no`, `on` and `off` are text in YAML 1.2)"
            ],
            id="no is text",
        ),
        pytest.param(
            "rules: [{name: a, do: [spam: {tag-at: '6'}]}]",
            ["1:39: rules[0].do[0].spam.tag-at: must be a number"],
            id="text as number",
        ),
        pytest.param(
            "rules: [{name: a, do: [spam: {tag_at: 6}]}]",
            ["1:31: rules[0].do[0].spam.tag_at: unknown option `tag_at`; did you mean `tag-at`?"],
            id="snake case",
        ),
        pytest.param("rules: [{name: a, do: [flag: []]}]", ["1:30: rules[0].do[0].flag: must not be empty"], id="no flags"),
        pytest.param(
            "rules: [{name: a, do: [run: nope]}]",
            ["1:29: rules[0].do[0].run: there is no pipeline `nope`; known here: `main`"],
            id="missing pipeline",
        ),
        pytest.param(
            "rules: [{name: a, do: [run: main]}]",
            ["1:29: rules[0].do[0].run: pipelines run each other in a loop: main → main"],
            id="runs itself",
        ),
        pytest.param(
            "rules: [{name: a, do: stop}, {name: b, do: keep}, {name: c, do: keep}]",
            ["1:30: rules[1]: is never reached: the rule `a` before it always stops"],
            id="unreachable rule",
        ),
        pytest.param(
            "match: first\nrules: [{name: a, do: keep}, {name: b, do: keep}]",
            ["2:30: rules[1]: is never reached: the rule `a` before it always matches"],
            id="unreachable after a first match",
        ),
        pytest.param(
            "rules: [{name: a, when: {subject: x}, do: [stop, keep]}]",
            ["1:50: rules[0].do[1]: `keep` is never reached: the step before it stops"],
            id="unreachable step",
        ),
        pytest.param(
            'rules: [{name: a, when: {spam: "> 6"}, do: keep}]',
            ["1:26: rules[0].when.spam: no earlier step gives `spam`: put a step `spam` into a rule before this one"],
            id="a fact nobody gives",
        ),
        pytest.param(
            'rules: [{name: a, when: {spam: "> 6"}, do: {spam: headers}}]',
            ["1:26: rules[0].when.spam: no earlier step gives `spam`: put a step `spam` into a rule before this one"],
            id="a fact given too late",
        ),
        pytest.param(
            "rules: [{name: a, when: {any: [{not: {tag: x}}]}, do: keep}]",
            ["1:39: rules[0].when.any[0].not.tag: no earlier step gives `tag`: put a step `tag` into a rule before this one"],
            id="a fact deep within",
        ),
        pytest.param(
            'rules: [{name: a, do: [move: "{{ match.x }}"]}]',
            ["1:24: rules[0].do[0].move.folder: no pattern under this rule's `when` has a group `x`"],
            id="a group nobody gives",
        ),
        pytest.param(
            "rules:\n  - name: a\n    do: mov\n  - name: b\n    dо: keep\n    when: x: y\n",
            ["6:12: `: ` inside a value must be quoted, and keys that belong together must be indented alike"],
            id="no YAML",
        ),
        pytest.param(
            "descr: x\nrules: [{name: a, do: mov}, {nam: b, do: [kep, {flag: 5}]}]",
            [
                "1:1: descr: unknown key `descr`; did you mean `description`?",
                "2:23: rules[0].do: unknown step `mov`; did you mean `move`?",
                "2:29: rules[1].name: is missing here",
                "2:30: rules[1].nam: unknown key `nam`; did you mean `name`?",
                "2:43: rules[1].do[0]: unknown step `kep`; did you mean `keep`?",
                "2:55: rules[1].do[1].flag: must be a list",
            ],
            id="all at once",
        ),
        pytest.param("rules: [{name: a, do: keep, do: stop}]", ["1:29: rules[0].do: the key `do` stands here twice, first in line 1"], id="twice"),
    ],
)  # fmt: skip
def test_each_problem_is_told_with_place_and_remedy(site: "Site", text: str, expected: list[str]) -> None:
    assert told(site, text) == expected


def test_a_loop_over_several_pipelines_names_all_of_them(site: "Site") -> None:
    site.pipeline("b", "rules: [{name: a, do: {run: c}}]").pipeline("c", "rules: [{name: a, do: {run: main}}]")
    site.pipeline("main", "rules: [{name: a, do: {run: b}}]")
    assert site.reviewed() == ["c.yaml:1:29: rules[0].do.run: pipelines run each other in a loop: main → b → c → main"]


def test_a_loop_that_no_mailbox_comes_to_is_told_too(site: "Site") -> None:
    site.pipeline("b", "rules: [{name: a, do: {run: c}}]").pipeline("c", "rules: [{name: a, do: {run: b}}]")
    assert [one.rpartition(": ")[2] for one in site.reviewed()] == ["b → c → b"]


def test_facts_of_the_caller_reach_what_it_runs(site: "Site") -> None:
    site.pipeline("junk", 'rules: [{name: a, when: {spam: "> 6"}, do: {move: Junk}}]')
    site.pipeline("main", "rules: [{name: a, do: [{spam: headers}, {run: junk}]}]")
    assert site.reviewed() == []


def test_facts_of_what_was_run_reach_the_caller(site: "Site") -> None:
    site.pipeline("score", "rules: [{name: a, do: {spam: headers}}]")
    site.pipeline("main", 'rules: [{name: a, do: {run: score}}, {name: b, when: {spam: "> 6"}, do: {move: Junk}}]')
    assert site.reviewed() == []


def test_one_caller_without_the_fact_is_named(site: "Site") -> None:
    site.pipeline("junk", 'rules: [{name: a, when: {spam: "> 6"}, do: {move: Junk}}]')
    site.pipeline("main", "rules: [{name: a, do: [{spam: headers}, {run: junk}]}]")
    site.pipeline("other", "rules: [{name: a, do: {run: junk}}]")
    assert site.reviewed() == [
        "junk.yaml:1:26: rules[0].when.spam: no earlier step gives `spam`: "
        "put a step `spam` into a rule before this one (run by `other`)"
    ]


def test_a_pipeline_that_others_run_can_be_loaded_alone_for_its_tests(site: "Site") -> None:
    site.pipeline("junk", 'rules: [{name: a, when: {spam: "> 6"}, do: {move: Junk}}]')
    site.pipeline("main", "rules: [{name: a, do: [{spam: headers}, {run: junk}]}]")
    assert list(load_pipeline("junk", site.settings()).pipelines) == ["junk"]
    assert list(load_pipelines(site.settings(), ["junk"], facts=False)) == ["junk"]
    with pytest.raises(Misconfigured, match="no earlier step gives `spam`"):
        load_pipelines(site.settings(), ["junk"])


def test_a_broken_scanner_does_not_make_its_fact_a_second_problem(site: "Site") -> None:
    text = 'rules: [{name: a, do: {spam: heders}}, {name: b, when: {spam: "> 6"}, do: keep}]'
    assert len(told(site, text)) == 1


def test_a_run_of_what_always_stops_ends_the_caller(site: "Site") -> None:
    site.pipeline("end", "rules: [{name: a, do: stop}]")
    text = "rules: [{name: a, do: {run: end}}, {name: b, do: keep}]"
    assert told(site, text) == ["1:36: rules[1]: is never reached: the rule `a` before it always stops"]


def test_a_mailbox_names_the_missing_pipeline_at_its_place(site: "Site", tmp_path: Path) -> None:
    site.write('mailboxes: {a: {url: "stdin:", pipeline: mian, store: m}}')
    assert site.reviewed() == [
        f"postroom.yaml:1:42: mailboxes.a.pipeline: there is no pipeline `mian` in {tmp_path}/pipelines; "
        "did you mean `main`?"
    ]


def test_without_a_store_nothing_can_be_kept(site: "Site") -> None:
    site.write('mailboxes: {a: {url: "stdin:", pipeline: main, store: none}}')
    assert site.reviewed() == [
        "main.yaml:1:25: rules[0].do: `keep` needs a store, and the mailbox `a` has `store: none`"
    ]


IMAP = "{url: 'imaps://u@h.example', password: p, pipeline: main}"
POP3 = "{url: 'pop3s://u@h.example', password: p, pipeline: main}"
STORED = "{url: 'pop3s://u@h.example', password: p, pipeline: main, store: m}"
MAILDIR = "{url: 'maildir:m', pipeline: main}"


@pytest.mark.parametrize("mailbox", [IMAP, POP3, STORED, MAILDIR])
def test_a_mailbox_of_accepted_mail_has_nobody_to_reject_to(site: "Site", mailbox: str) -> None:
    site.write(f"mailboxes: {{a: {mailbox}}}").pipeline("main", "rules: [{name: all, do: [{reject: no}]}]\n")
    assert site.reviewed() == [
        "main.yaml:1:35: rules[0].do[0].reject: `reject` has nobody to answer: the mailbox `a` holds mail that was accepted; "
        "use `quarantine`, `move` or `discard`"
    ]


@pytest.mark.parametrize("step", ["{move: A}", "{copy: A}", "{flag: $Work}", "{unflag: $Work}"])
def test_pop3_without_a_store_can_only_keep(site: "Site", step: str) -> None:
    word = step[1:].partition(":")[0]
    site.write(f"mailboxes: {{a: {POP3}}}").pipeline("main", f"rules: [{{name: all, do: [{step}, keep]}}]\n")
    assert site.reviewed() == [
        f"main.yaml:1:{28 + len(word) + 1}: rules[0].do[0].{word}: `{word}` needs a `store`: POP3 cannot do it on the server, and the mailbox "
        "`a` names none"
    ]


@pytest.mark.parametrize("mailbox", [IMAP, STORED, MAILDIR])
def test_where_there_is_a_place_everything_can_be_done_with_it(site: "Site", mailbox: str) -> None:
    site.write(f"mailboxes: {{a: {mailbox}}}").pipeline(
        "main", "rules: [{name: all, do: [{copy: A}, {flag: $Work}, {move: B}]}, {name: rest, do: keep}]\n"
    )
    assert site.reviewed() == []


def test_settings_and_pipelines_are_told_together(site: "Site") -> None:
    site.write('logs: {frm: x}\nmailboxes: {a: {url: "stdin:", pipeline: main, store: m}}')
    assert len(told(site, "rules: [{name: a, do: mov}]")) == 2


@pytest.mark.parametrize("name", ["../main", "main.yaml", "nope", ""])
def test_a_name_that_is_no_pipeline_is_one_sentence(site: "Site", name: str) -> None:
    with pytest.raises(Misconfigured, match="there is no pipeline"):
        load_pipelines(site.settings(), [name])


def test_a_plugin_that_is_not_installed_is_told(site: "Site") -> None:
    site.write('plugins: [shred]\nmailboxes: {a: {url: "stdin:", pipeline: main, store: m}}')
    assert site.reviewed() == ["postroom.yaml:1:11: plugins[0]: no installed package offers a step `shred`"]


TESTED = "rules: [{name: a, do: keep}]\ntests:\n"


@pytest.mark.parametrize(
    ("test", "expected"),
    [
        pytest.param("{expct: []}", "3:6: tests[0].expct: unknown key `expct`; did you mean `expect`?", id="key"),
        pytest.param(
            "{message: {form: a@b}, expect: []}",
            "3:16: tests[0].message.form: unknown key `form`; did you mean `from`?",
            id="message",
        ),
        pytest.param(
            "{message: {from_: a@b}, expect: []}",
            "3:16: tests[0].message.from_: unknown key `from_`; did you mean `from`?",
            id="a name as Python has it",
        ),
        pytest.param(
            "{facts: {spam: {scor: 5}}, expect: []}",
            "3:21: tests[0].facts.spam.scor: unknown key `scor`; did you mean `score`?",
            id="facts",
        ),
        pytest.param(
            "{file: leter.eml, expect: []}",
            "3:12: tests[0].file: there is no file `leter.eml` beside the pipeline; did you mean `letter.eml`?",
            id="file",
        ),
        pytest.param(
            "{file: ., expect: []}", "3:12: tests[0].file: `.` cannot be read: Is a directory", id="directory"
        ),
        pytest.param("5", "3:5: tests[0]: must be a mapping: `key: value` lines", id="no mapping"),
    ],
)
def test_check_looks_at_the_shape_of_tests(site: "Site", test: str, expected: str) -> None:
    site.pipeline("main", "")
    (site.root / "pipelines/letter.eml").write_text("Subject: a\n\nb\n")
    assert expected in told(site, f"{TESTED}  - {test}\n")
    assert told(site, f"{TESTED}  - {{expect: []}}\n  - 7\n  - {test}\n")[-1].partition(": ")[0].startswith("5:")


def test_check_tells_of_a_list_that_is_not_beside_the_pipeline(site: "Site") -> None:
    text = "rules: [{name: a, when: {from: {in-file: bad.txt}}, do: keep}]\n"
    [problem] = told(site, text)
    assert problem == "1:42: rules[0].when.from.in-file: there is no file `bad.txt` beside the pipeline"
    (site.root / "pipelines/bad.txt").write_text("a@x.example\nb\\\n")
    [problem] = told(site, text)
    assert problem.startswith("1:42: rules[0].when.from.in-file: `bad.txt`, line 2: ")


@pytest.mark.parametrize(
    ("do", "key"),
    [
        pytest.param("{extract: {to: x, names_: a}}", "names_", id="trailing underscore"),
        pytest.param("{extract: {to: x, per_file: 1MB}}", "per_file", id="underscore within"),
        pytest.param("{script: {name: s, command: [x], on_error: pass}}", "on_error", id="another"),
        pytest.param("{duplicate: {period: 7d}}", "period", id="another name"),
    ],
)
def test_options_have_one_spelling(site: "Site", do: str, key: str) -> None:
    [problem] = told(site, f"rules: [{{name: a, do: {do}}}]")
    assert f"unknown option `{key}`" in problem
