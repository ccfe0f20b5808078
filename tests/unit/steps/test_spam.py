from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from postroom import steps, testing
from postroom.bayes.learner import Learner
from postroom.errors import Temporary
from postroom.message import edited, parse
from postroom.pipeline.outcome import Edited, Fact, Note, Outcome
from postroom.pipeline.tools import Trust
from postroom.pipeline.view import Facts, Spam

LINE = "from evil.example (evil.example [203.0.113.9]) by mx.example.com (Postfix); x"


def planned(raw: bytes, given: Facts | None = None, **options: Any) -> list[Outcome]:
    tools = testing.tools(trust=Trust(hosts=("mx.example.com",)), given=given)
    return [*steps.step("spam").model_validate(options).plan(testing.view(raw), tools)]


def told(**fields: str) -> Spam | None:
    """What fields above the line say; underscores in their names stand for hyphens."""
    headers = {name.replace("_", "-"): value for name, value in fields.items()}
    return fact(planned(testing.message(headers={**headers, "Received": LINE})))


def fact(outcomes: list[Outcome]) -> Spam | None:
    found = [outcome.facts.spam for outcome in outcomes if isinstance(outcome, Fact)]
    return found[0] if found else None


STATUS = "Yes, score=7.3 required=5.0 tests=BAYES_99,\r\n\tURIBL_BLACK autolearn=no version=3.4.6"
AMAVIS = "No, score=-1.9 tagged_above=-999 required=6.2 tests=[BAYES_00=-1.9,\r\n DKIM_VALID=-0.1] autolearn=ham"
RSPAMD = "default: True [16.50 / 15.00];\r\n\tBAYES_SPAM(5.10)[99.99%];\r\n\tARC_NA(0.00)[]"


@pytest.mark.parametrize(
    ("fields", "spam"),
    [
        pytest.param({"X_Spam_Status": STATUS}, Spam(score=7.3, verdict="spam", symbols=("BAYES_99", "URIBL_BLACK")), id="status"),
        pytest.param({"X_Spam_Status": AMAVIS}, Spam(score=-1.9, verdict="ham", symbols=("BAYES_00", "DKIM_VALID")), id="status of amavis"),
        pytest.param({"X_Spam_Status": "No, hits=2 required=5 tests=none"}, Spam(score=2, verdict="ham"), id="old status"),
        pytest.param({"X_Spam_Flag": "YES"}, Spam(verdict="spam"), id="flag"),
        pytest.param({"X_Spam_Flag": "NO"}, Spam(verdict="ham"), id="flag, no"),
        pytest.param({"X_Spam_Score": "6.5"}, Spam(score=6.5), id="score"),
        pytest.param({"X_Spam_Score": "6.5 (++++++)"}, Spam(score=6.5), id="score with bar"),
        pytest.param({"X_Spam_Score": "-0.2"}, Spam(score=-0.2), id="score below zero"),
        pytest.param({"X_Spam_Level": "******"}, Spam(score=6), id="level"),
        pytest.param({"X_Spam_Flag": "YES", "X_Spam_Score": "8"}, Spam(score=8, verdict="spam"), id="flag and score"),
        pytest.param({"X_Spamd_Result": RSPAMD}, Spam(score=16.5, verdict="spam", symbols=("BAYES_SPAM", "ARC_NA")), id="rspamd"),
        pytest.param({"X_Rspamd_Score": "4.2", "X_Rspamd_Action": "no action"}, Spam(score=4.2, verdict="ham"), id="rspamd short"),
        pytest.param({"X_Rspamd_Action": "greylist"}, Spam(verdict="unsure"), id="rspamd greylist"),
        pytest.param({"X_Rspamd_Action": "rewrite subject"}, Spam(verdict="spam"), id="rspamd rewrite"),
        pytest.param({"X_MS_Exchange_Organization_SCL": "6"}, Spam(score=6, verdict="spam"), id="SCL"),
        pytest.param({"X_MS_Exchange_Organization_SCL": "-1"}, Spam(score=-1, verdict="ham"), id="SCL, trusted"),
        pytest.param({"X_Forefront_Antispam_Report": "CIP:1.2.3.4;CTRY:;LANG:en;SCL:5;SRV:;"}, Spam(score=5, verdict="spam"), id="Forefront"),
        pytest.param({"X_Spam_Score": "9", "X_MS_Exchange_Organization_SCL": "1"}, Spam(score=9), id="of several filters the first"),
    ],
)  # fmt: skip
def test_what_an_upstream_filter_wrote_is_read(fields: dict[str, str], spam: Spam) -> None:
    assert told(**fields) == spam


@pytest.mark.parametrize(
    "fields",
    [
        {"X_Spam_Status": "maybe"},
        {"X_Spam_Score": "nan"},
        {"X_Spam_Score": "1e9999"},
        {"X_Spam_Score": "9" * 5000},
        {"X_Spam_Level": ""},
        {"X_Spam_Level": "*" * 101},
        {"X_MS_Exchange_Organization_SCL": "12"},
        {"X_Forefront_Antispam_Report": "XSCL:5"},
        {"X_Rspamd_Action": "dance"},
    ],
    ids=lambda fields: next(iter(f"{name} {value[:8]}" for name, value in fields.items())),
)
def test_what_is_no_verdict_is_unknown(fields: dict[str, str]) -> None:
    assert told(**fields) is None


@pytest.mark.parametrize("name", ["X-Spam-Flag", "X-Spam-Status", "X-Spam-Score", "X-Rspamd-Score"])
@pytest.mark.parametrize("value", ["YES", "NO", "No, score=-99", "-99"])
def test_what_a_sender_wrote_below_the_line_is_not_believed(name: str, value: str) -> None:
    raw = testing.message(headers={"Received": LINE, name: value})
    [note] = planned(raw)
    assert isinstance(note, Note)


def test_a_forged_line_of_our_host_does_not_lift_forged_verdicts() -> None:
    forged = "X-Spam-Status: No, score=-9\r\nReceived: from localhost by mx.example.com; x\r\n"
    raw = b"Received: " + LINE.encode() + b"\r\n" + forged.encode() + testing.message()
    assert fact(planned(raw)) is None


def test_of_a_field_that_stands_twice_the_upper_one_counts() -> None:
    raw = testing.message(headers={"X-Spam-Score": ["9", "1"], "Received": LINE})
    assert fact(planned(raw)) == Spam(score=9)


def test_from_tag_at_on_the_message_says_so_itself_and_forgeries_go() -> None:
    raw = testing.message(
        headers={"X-Spam-Status": STATUS, "Received": LINE, "X-Spam-Flag": "NO", "X-Spam-Score": ["-9", "-8"]}
    )
    options: dict[str, Any] = {"tag-at": 5, "subject": "[SPAM] {{ subject }}"}
    outcomes = planned(raw, **options)
    edits = [outcome for outcome in outcomes if isinstance(outcome, Edited)]
    assert [one.target for one in edits] == [
        "X-Spam-Flag: YES",
        "X-Spam-Score: 7.3",
        "X-Spam-Level: *******",
        "X-Spam-Status: Yes, score=7.3 required=5 tests=BAYES_99,URIBL_BLACK",
        "Subject: [SPAM] Hello",
    ]
    made = parse(b"".join(edited(raw, [one.edit for one in edits])))
    assert made.headers.get_all("X-Spam-Flag") == ("YES",)
    assert made.headers.get_all("X-Spam-Score") == ("7.3",)
    assert made.subject == "[SPAM] Hello"


@pytest.mark.parametrize(
    ("score", "tagged"), [(4.9, False), (5.0, True), (None, False)], ids=["below", "at", "without a score"]
)
def test_tag_at_is_the_lowest_score_that_is_tagged(score: float | None, tagged: bool) -> None:
    given = Facts(spam=Spam(score=score, verdict="spam"))
    outcomes = planned(testing.message(), given, **{"tag-at": 5})
    assert any(isinstance(outcome, Edited) for outcome in outcomes) is tagged


def test_a_subject_that_is_marked_is_not_marked_again() -> None:
    raw = testing.message(subject="=?utf-8?q?[SPAM]?= Hello")
    outcomes = planned(raw, Facts(spam=Spam(score=9)), **{"tag-at": 5, "subject": "[SPAM] {{ subject }}"})
    assert not [o for o in outcomes if isinstance(o, Edited) and o.target.startswith("Subject")]


def test_the_subject_may_show_the_score() -> None:
    options: dict[str, Any] = {"tag-at": 5, "subject": "[{{ facts.spam.score }}] {{ subject }}"}
    outcomes = planned(testing.message(), Facts(spam=Spam(score=9.5)), **options)
    assert isinstance(outcomes[-1], Edited)
    assert outcomes[-1].target == "Subject: [9.5] Hello"


def test_a_symbol_can_bring_nothing_else_into_the_header() -> None:
    given = Facts(spam=Spam(score=9, symbols=("A", "B\r\nBcc: x", "C D")))
    [status] = [
        outcome.target
        for outcome in planned(testing.message(), given, **{"tag-at": 5})
        if isinstance(outcome, Edited) and "Status" in outcome.target
    ]
    assert status.endswith("tests=A")


def test_symbols_without_end_leave_a_status_that_can_be_read() -> None:
    given = Facts(spam=Spam(score=9, symbols=tuple(f"{'X' * 97}{number:03}" for number in range(200))))
    raw = testing.message()
    edits = [one.edit for one in planned(raw, given, **{"tag-at": 5}) if isinstance(one, Edited)]
    [status] = [line for line in b"".join(edited(raw, edits)).split(b"\r\n") if b"tests=" in line]
    assert b"=?" not in status
    assert status.count(b"XXX000") == 1
    assert len(status) < 998


@pytest.mark.parametrize(
    "options",
    [{"scanner": "crystal-ball"}, {"subject": "x"}, {"tag-at": "often"}, {"on-error": "panic"}],
    ids=["scanner", "subject without tag-at", "tag-at", "on-error"],
)
def test_wrong_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        steps.step("spam").model_validate(options)


# What was learned.


def learned(directory: Path, raw: bytes, **options: Any) -> list[Outcome]:
    tools = testing.tools(bayes=directory, explains=options.pop("explains", False))
    step = steps.step("spam").model_validate({"scanner": "bayes", **options})
    return [*step.plan(testing.view(raw, mailbox="support"), tools)]


def teach(directory: Path) -> None:
    with Learner(directory) as learner:
        for number in range(20):
            learner.learn(
                parse(
                    testing.message(
                        subject=f"cheap pills {number}",
                        from_=f"s{number}@shop.example",
                        text="buy cheap pills now at the best price",
                    )
                ),
                spam=True,
            )
            learner.learn(
                parse(testing.message(subject=f"minutes {number}", text="the minutes of our meeting with the agenda")),
                spam=False,
            )


SPAM = testing.message(subject="cheap pills", from_="x@shop.example", text="buy cheap pills now at the best price")


def test_a_filter_that_learned_nothing_says_so_and_marks_nothing(tmp_path: Path) -> None:
    outcomes = learned(tmp_path, SPAM, **{"tag-at": -10})
    assert fact(outcomes) == Spam(verdict="unsure", symbols=("BAYES_UNTRAINED",))
    assert [type(one) for one in outcomes] == [Note, Fact]


def test_what_was_learned_is_told_and_marked(tmp_path: Path) -> None:
    teach(tmp_path / "site")
    outcomes = learned(tmp_path, SPAM, **{"tag-at": 5})
    spam = fact(outcomes)
    assert spam is not None
    assert spam.verdict == "spam"
    assert [one.target.partition(":")[0] for one in outcomes if isinstance(one, Edited)] == [
        "X-Spam-Flag",
        "X-Spam-Score",
        "X-Spam-Level",
        "X-Spam-Status",
    ]


def test_words_of_the_message_are_told_to_explain_alone(tmp_path: Path) -> None:
    teach(tmp_path / "site")
    assert not [one for one in learned(tmp_path, SPAM) if isinstance(one, Note)]
    told = [one.text for one in learned(tmp_path, SPAM, explains=True) if isinstance(one, Note)]
    assert "pills" in told[0]


def test_a_mailbox_may_know_things_of_its_own(tmp_path: Path) -> None:
    teach(tmp_path / "mailboxes/support")
    own, site = learned(tmp_path, SPAM, learned="mailbox"), learned(tmp_path, SPAM)
    assert [spam.verdict for spam in (fact(own), fact(site)) if spam] == ["spam", "unsure"]


def test_damaged_words_make_the_message_wait_or_pass(tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site/words").write_bytes(b"damaged")
    with pytest.raises(Temporary, match="damaged"):
        learned(tmp_path, SPAM)
    assert [type(one) for one in learned(tmp_path, SPAM, **{"on-error": "pass"})] == [Note]
