from pathlib import Path

import pytest

from postroom import trial
from postroom.errors import Misconfigured
from postroom.settings import load_pipeline
from postroom.trial import Verdict

RULES = """\
rules:
  - name: mark
    when: {from: "*@shop.example"}
    do: [{subject: {prefix: "[shop]"}}]
  - name: marked
    when: {subject: "[shop]*"}
    do: [{flag: $Shop}, {move: Shop}]
tests:
"""


def verdicts(tmp_path: Path, text: str) -> list[Verdict]:
    (tmp_path / "p.yaml").write_text(text)
    return [*trial.run(load_pipeline(str(tmp_path / "p.yaml")))]


def diff(tmp_path: Path, test: str, rules: str = RULES) -> tuple[str, ...]:
    [verdict] = verdicts(tmp_path, f"{rules}  - {test}\n")
    assert verdict.passed is (not verdict.diff)
    return verdict.diff


def test_conditions_ask_the_message_as_edited_so_far(tmp_path: Path) -> None:
    expect = '["subject [shop] Hi", flag $Shop, move Shop]'
    assert diff(tmp_path, f"{{message: {{from: a@shop.example, subject: Hi}}, expect: {expect}}}") == ()


@pytest.mark.parametrize(
    "expect",
    [
        "[subject, flag, move]",
        '["subject [shop] Hi", flag $Shop, move Shop]',
        '[subject, "flag  $Shop", move]',
    ],
    ids=["words", "with targets", "mixed"],
)
def test_an_expected_line_is_a_word_or_a_word_and_its_target(tmp_path: Path, expect: str) -> None:
    assert diff(tmp_path, f"{{message: {{from: a@shop.example, subject: Hi}}, expect: {expect}}}") == ()


@pytest.mark.parametrize(
    ("expect", "told"),
    [
        pytest.param(
            "[subject, flag, move Shops]",
            ("  subject", "  flag", "- move Shops", "+ move Shop"),
            id="another target",
        ),
        pytest.param("[subject, move]", ("  subject", "+ flag $Shop", "  move"), id="unexpected"),
        pytest.param(
            "[subject, flag, move, reject]", ("  subject", "  flag", "  move", "- reject"), id="missing at the end"
        ),
        pytest.param("[flag, subject, move]", ("- flag", "  subject", "+ flag $Shop", "  move"), id="another order"),
        pytest.param("[]", ("+ subject [shop] Hi", "+ flag $Shop", "+ move Shop"), id="nothing was expected"),
        pytest.param("[subject, flag, move, keep]", ("  subject", "  flag", "  move", "- keep"), id="keep too"),
    ],
)
def test_what_is_missing_and_what_is_unexpected_is_shown(tmp_path: Path, expect: str, told: tuple[str, ...]) -> None:
    assert diff(tmp_path, f"{{message: {{from: a@shop.example, subject: Hi}}, expect: {expect}}}") == told


@pytest.mark.parametrize("expect", ["[]", "[keep]", '["keep (implicit)"]', "keep"])
def test_an_implicit_keep_may_be_written_or_left_out(tmp_path: Path, expect: str) -> None:
    assert diff(tmp_path, f"{{expect: {expect}}}") == ()


def test_a_keep_that_a_step_said_has_to_be_expected(tmp_path: Path) -> None:
    rules = "rules: [{name: r, do: keep}]\ntests:\n"
    assert diff(tmp_path, "{expect: []}", rules) == ("+ keep",)
    assert diff(tmp_path, "{expect: keep}", rules) == ()


def test_a_message_file_lies_beside_the_pipeline(tmp_path: Path) -> None:
    (tmp_path / "x.eml").write_bytes(b"From: a@shop.example\r\nSubject: Hi\r\n\r\n\xff\r\n")
    assert diff(tmp_path, "{file: x.eml, message: {mailbox: m}, expect: [subject, flag, move]}") == ()


FACTS = """\
rules:
  - {name: scan, do: {script: {name: s, command: [/nonexistent/program]}}}
  - {name: asks, when: {script: {s: {level: high}}}, do: {move: High}}
  - {name: asks not, when: {not: {script: {s: {level: high}}}}, do: {move: Low}}
tests:
"""


@pytest.mark.parametrize(
    ("facts", "expect"),
    [
        pytest.param("{script: {s: {level: high}}}", "[move High]", id="given"),
        pytest.param("{script: {s: {level: low}}}", "[move Low]", id="given otherwise"),
        pytest.param("{}", "[keep]", id="unknown"),
    ],
)
def test_facts_stand_in_for_scanners_that_leave_the_process(tmp_path: Path, facts: str, expect: str) -> None:
    assert diff(tmp_path, f"{{facts: {facts}, expect: {expect}}}", FACTS) == ()


def test_a_pipeline_that_others_run_is_told_what_they_found(tmp_path: Path) -> None:
    rules = 'rules: [{name: r, when: {spam: ">= 5"}, do: {move: Junk}}]\ntests:\n'
    assert diff(tmp_path, "{facts: {spam: {score: 5}}, expect: [move Junk]}", rules) == ()


def test_what_a_rule_remarks_is_told_where_a_test_fails(tmp_path: Path) -> None:
    rules = "rules: [{name: r, do: {reply: {text: Hello, server: s}}}]\ntests:\n"
    *_, remark = diff(tmp_path, "{message: {sender: ann@example.org}, expect: [reply]}", rules)
    assert remark.startswith("? r: not answered: ")


def test_a_rule_that_nobody_can_decide_is_named_where_a_test_fails(tmp_path: Path) -> None:
    rules = 'rules: [{name: r, when: {spam: ">= 5"}, do: {move: Junk}}]\ntests:\n'
    assert diff(tmp_path, "{expect: [move Junk]}", rules) == (
        "- move Junk",
        "  keep (implicit)",
        "? r: `spam: >= 5` is unknown; `facts` may say it",
    )


@pytest.mark.parametrize(
    ("message", "condition"),
    [
        pytest.param("{sender: ''}", "{sender: ''}", id="sender"),
        pytest.param("{recipient: b@x.example}", "{envelope-to: b@x.example}", id="recipient"),
        pytest.param("{mailbox: m}", "{mailbox: m}", id="mailbox"),
        pytest.param("{folder: A/B}", "{folder: A/B}", id="folder"),
        pytest.param("{flags: ['\\Seen', $Junk]}", "{flags: $Junk}", id="flags"),
        pytest.param("{cc: [a@x.example, b@x.example]}", "{cc: b@x.example}", id="cc"),
        pytest.param("{html: <b>Hi</b>, text: ''}", "{body: 'Hi*'}", id="html"),
        pytest.param("{headers: {X-A: [one, two]}}", "{header.X-A: two}", id="headers"),
        pytest.param("{headers: {From: x@y.example}}", "{from: x@y.example}", id="a header in place of a made one"),
        pytest.param("{attachments: [{name: a.pdf, size: 2MB}]}", '{attachment: {size: "= 2MB"}}', id="size"),
        pytest.param("{attachments: [{name: a, content: ''}]}", '{attachment: {size: "= 0"}}', id="empty"),
        pytest.param("{date: 2020-02-02}", '{date: "= 2020-02-02"}', id="date"),
    ],
)
def test_a_short_message_says_all_that_conditions_ask(tmp_path: Path, message: str, condition: str) -> None:
    rules = f"rules: [{{name: r, when: {condition}, do: {{move: Yes}}}}]\ntests:\n"
    assert diff(tmp_path, f"{{message: {message}, expect: [move Yes]}}", rules) == ()
    assert diff(tmp_path, "{expect: [move Yes]}", rules) != ()


def test_now_is_when_it_arrives(tmp_path: Path) -> None:
    rules = 'rules: [{name: r, do: {move: "{{ received.date }}"}}]\ntests:\n'
    assert diff(tmp_path, "{now: 2026-03-01, expect: [move 2026-03-01]}", rules) == ()
    assert diff(tmp_path, "{now: '2026-03-01T23:30:00-02:00', expect: [move 2026-03-02]}", rules) == ()


@pytest.mark.parametrize(
    ("facts", "expect"),
    [
        ("{auth: {dmarc: fail, policy: reject}}", "[move Junk]"),
        ("{auth: {dmarc: fail, policy: none}}", "[keep]"),
        ("{}", "[keep]"),
    ],
)
def test_facts_stand_in_for_the_dns(tmp_path: Path, facts: str, expect: str) -> None:
    rules = """\
rules:
  - {name: who, do: {authenticate: dns}}
  - {name: forged, when: {auth: {dmarc: fail, policy: reject}}, do: {move: Junk}}
tests:
"""
    assert diff(tmp_path, f"{{facts: {facts}, expect: {expect}}}", rules) == ()


@pytest.mark.parametrize(
    ("test", "place", "told"),
    [
        pytest.param("{expect: [], mesage: {}}", "9:18: tests[0].mesage", "did you mean", id="unknown key"),
        pytest.param("{message: {form: a@b}, expect: []}", "9:16: tests[0].message.form", "from", id="short message"),
        pytest.param("{message: {}}", "9:5: tests[0]", "expect", id="nothing expected"),
        pytest.param("{now: soon, expect: []}", "9:11: tests[0].now", "2026-03-01", id="now"),
        pytest.param("{facts: {auth: {dmark: fail}}, expect: []}", "tests[0].facts.auth.dmark", "dmarc", id="auth"),
        pytest.param("{facts: {auth: {dmarc: failed}}, expect: []}", "tests[0].facts.auth.dmarc", "pass", id="result"),
        pytest.param("{facts: {spam: {scor: 1}}, expect: []}", "tests[0].facts.spam.scor", "score", id="facts"),
        pytest.param("{file: no.eml, expect: []}", "9:12: tests[0].file", "there is no file `no.eml`", id="file"),
        pytest.param("{file: p.yaml, message: {from: a}, expect: []}", "tests[0]", "leave out `from`", id="both"),
        pytest.param("{message: {attachments: [{nam: x}]}, expect: []}", "tests[0].message", "name", id="attachment"),
    ],
)
def test_what_is_wrong_with_a_test_is_told_with_its_place(tmp_path: Path, test: str, place: str, told: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        verdicts(tmp_path, f"{RULES}  - {test}\n")
    assert place in str(caught.value)
    assert told in str(caught.value)
    assert str(caught.value).startswith(str(tmp_path / "p.yaml"))


def test_all_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured) as caught:
        verdicts(tmp_path, f"{RULES}  - {{expec: []}}\n  - {{expect: [], now: x}}\n")
    assert [one.line for one in caught.value.problems] == [9, 10]


def test_a_memory_is_new_for_each_test(tmp_path: Path) -> None:
    rules = "rules: [{name: r, do: duplicate}, {name: d, when: {duplicate: true}, do: {move: D}}]\ntests:\n"
    made = verdicts(tmp_path, f"{rules}  - {{expect: []}}\n  - {{expect: []}}\n")
    assert [verdict.passed for verdict in made] == [True, True]
