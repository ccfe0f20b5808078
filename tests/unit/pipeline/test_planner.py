"""From rules and one message to a plan: what is decided, in which order, and what the trace says about it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from postroom import testing
from postroom.errors import Problem
from postroom.message import edited
from postroom.pipeline.conditions import compile_condition
from postroom.pipeline.pipeline import Pipeline, Rule
from postroom.pipeline.plan import Plan
from postroom.pipeline.planner import DEEPEST, explain, plan
from postroom.pipeline.step import Step
from postroom.pipeline.tools import Tools
from postroom.pipeline.view import Facts, JsonObject, Spam, View
from postroom.steps import step
from postroom.steps.store import Store

Do = str | dict[str, Any]
SECRET = "zanzibar"


def made(do: Do) -> Step:
    if isinstance(do, str):
        return step(do).model_validate({})
    [(word, options)] = do.items()
    kind = step(word)
    return kind.model_validate(options if isinstance(options, dict) else {kind.main: options})


def rule(name: str, *do: Do, when: object = None) -> Rule:
    problems: list[Problem] = []
    condition = None if when is None else compile_condition(when, (), problems, directory=Path("/nonexistent"))
    assert not problems
    return Rule(name=name, when=condition, do=tuple(map(made, do)))


def pipelines(*rules: Rule, match: Any = "all", **others: Sequence[Rule]) -> dict[str, Pipeline]:
    named = {name: Pipeline(name=name, version="1", rules=tuple(several)) for name, several in others.items()}
    return {"main": Pipeline(name="main", version="1", rules=rules, match=match), **named}


def planned(*rules: Rule, view: View | None = None, tools: Tools | None = None, **others: Sequence[Rule]) -> Plan:
    return plan(pipelines(*rules, **others), "main", view or testing.view(), tools or testing.tools())


def lines(found: Plan) -> list[str]:
    return [str(line) for line in found.lines]


def notes(found: Plan) -> list[str]:
    return [note for trace in found.trace.rules for note in trace.notes]


# Which rules run


def test_all_rules_that_hold_run_in_their_order() -> None:
    found = planned(
        rule("one", {"flag": "$One"}),
        rule("two", {"flag": "$Two"}, when={"subject": "nothing like it"}),
        rule("three", {"flag": "$Three"}, when={"subject": "hello"}),
    )
    assert lines(found) == ["flag $One", "flag $Three", "keep (implicit)"]
    assert [(trace.rule, trace.held) for trace in found.trace.rules] == [("one", True), ("three", True)]
    assert found.trace.passed == 1


def test_match_first_ends_with_the_first_rule_that_holds() -> None:
    rules = (
        rule("no", {"flag": "$A"}, when={"subject": "x"}),
        rule("yes", {"flag": "$B"}),
        rule("late", {"flag": "$C"}),
    )
    found = plan(pipelines(*rules, match="first"), "main", testing.view(), testing.tools())
    assert lines(found) == ["flag $B", "keep (implicit)"]


def test_stop_ends_the_steps_behind_it_and_all_later_rules() -> None:
    found = planned(rule("one", {"flag": "$A"}, "stop", {"flag": "$B"}), rule("two", {"flag": "$C"}))
    assert lines(found) == ["flag $A", "keep (implicit)"]


def test_run_goes_through_another_pipeline_and_comes_back() -> None:
    found = planned(
        rule("outer", {"flag": "$A"}, {"run": "inner"}, {"flag": "$C"}), rule("next", {"flag": "$D"}),
        inner=[rule("in", {"flag": "$B"})],
    )  # fmt: skip
    assert lines(found) == ["flag $A", "flag $B", "flag $C", "flag $D", "keep (implicit)"]
    assert [(trace.pipeline, trace.rule) for trace in found.trace.rules] == [
        ("main", "outer"), ("inner", "in"), ("main", "next"),
    ]  # fmt: skip


def test_a_stop_within_a_pipeline_that_was_run_ends_its_callers_too() -> None:
    found = planned(
        rule("outer", {"run": "middle"}, {"flag": "$B"}), rule("next", {"flag": "$C"}),
        middle=[rule("m", {"run": "inner"}, {"flag": "$D"})], inner=[rule("i", {"flag": "$A"}, "stop")],
    )  # fmt: skip
    assert lines(found) == ["flag $A", "keep (implicit)"]


def test_match_first_of_a_pipeline_that_was_run_ends_only_that_one() -> None:
    inner = Pipeline(
        name="inner", version="1", match="first", rules=(rule("a", {"flag": "$A"}), rule("b", {"flag": "$B"}))
    )
    main = pipelines(rule("outer", {"run": "inner"}, {"flag": "$C"}), rule("next", {"flag": "$D"}))
    found = plan({**main, "inner": inner}, "main", testing.view(), testing.tools())
    assert lines(found) == ["flag $A", "flag $C", "flag $D", "keep (implicit)"]


def test_pipelines_that_run_each_other_for_ever_end_with_a_note() -> None:
    found = planned(rule("loop", {"run": "main"}, {"flag": "$A"}))
    assert lines(found) == ["flag $A"] * (DEEPEST + 1) + ["keep (implicit)"]
    assert [note for note in notes(found) if "too deeply" in note]


def test_a_rule_of_which_nobody_can_know_does_not_run() -> None:
    unknown = rule("unknown", {"flag": "$A"}, when={"spam": "> 1"})
    negated = rule("not unknown", {"flag": "$B"}, when={"not": {"spam": "> 1"}})
    assert lines(planned(unknown, negated)) == ["keep (implicit)"]
    rules = explain(pipelines(unknown, negated), "main", testing.view(), testing.tools()).rules
    assert [trace.held for trace, _ in rules] == [None, None]


def test_explain_plans_the_same_and_tells_every_rule() -> None:
    rules = (
        rule("yes", "keep", when={"subject": "h*"}),
        rule("no", "discard", when={"subject": "x"}),
        rule("any", "keep"),
    )
    explained = explain(pipelines(*rules), "main", testing.view(), testing.tools())
    assert explained.plan.lines == planned(*rules).lines
    assert [(trace.rule, trace.held, why is None) for trace, why in explained.rules] == [
        ("yes", True, False), ("no", False, False), ("any", True, True),
    ]  # fmt: skip


# What later conditions see


def test_conditions_see_the_edits_of_earlier_rules() -> None:
    found = planned(
        rule("mark", {"subject": {"prefix": "[dev]"}}, {"header": {"set": {"X-Seen": "yes"}}}),
        rule("sees", {"flag": "$Sees"}, when={"subject": {"is": "[dev] Hello"}, "header.X-Seen": "yes"}),
        rule("forgot", {"flag": "$Forgot"}, when={"subject": "hello"}),
        rule("again", {"header": {"set": {"X-Copy": "{{ subject }}"}}}),
    )
    assert [line for line in lines(found) if line.startswith("flag")] == ["flag $Sees"]
    raw = b"".join(edited(testing.message(), found.edits))
    assert b"\r\nSubject: [dev] Hello\r\n" in raw
    assert b"X-Copy: [dev] Hello\r\n" in raw


def test_an_effect_sees_the_edits_in_front_of_its_step_alone() -> None:
    found = planned(
        rule("r", {"archive": "before"}, {"header": {"add": {"X-A": "1"}}}, {"archive": "between"},
             {"header": {"add": {"X-B": "2"}}}, {"archive": "behind"}),
    )  # fmt: skip
    assert [(effect.effect.target, effect.edits) for effect in found.effects] == [
        ("before", 0), ("between", 1), ("behind", 2),
    ]  # fmt: skip


def test_conditions_see_the_facts_of_earlier_steps_and_a_called_pipelines_too() -> None:
    found = planned(
        rule("too early", {"flag": "$Early"}, when={"tag": "a"}),
        rule("tags", {"tag": "a"}, {"run": "inner"}),
        rule("sees", {"flag": "$Sees"}, when={"all": [{"tag": "a"}, {"tag": "b"}]}),
        inner=[rule("i", {"tag": "b"})],
    )
    assert lines(found) == ["flag $Sees", "keep (implicit)"]
    assert found.facts.tags == {"a", "b"}


def test_named_groups_live_as_long_as_their_rule() -> None:
    found = planned(
        rule("outer", {"run": "inner"}, {"copy": "A-{{ match.word }}"}, when={"subject": "/(?P<word>hel)/"}),
        rule("next", {"copy": "C-{{ match.word }}"}),
        inner=[rule("i", {"copy": "B-{{ match.word }}"}, when={"subject": "/(?P<word>llo)/"})],
    )
    assert lines(found)[:3] == ["copy B-llo", "copy A-Hel", "copy C-"]


def test_given_facts_stand_in_for_scanners_that_leave_the_process_and_those_do_not_run() -> None:
    answers: dict[str, JsonObject] = {"ocr": {"lang": "de"}, "unasked": {"lang": "fr"}}
    tools = testing.tools(given=Facts(script=answers, spam=Spam(score=9)))
    found = planned(
        rule("scan", {"script": {"name": "ocr", "command": ["/nonexistent/program"]}}, "spam"),
        rule("sees", {"flag": "$German"}, when={"script": {"ocr": {"lang": "de"}}, "spam": "> 8"}),
        tools=tools,
    )
    assert lines(found) == ["flag $German", "keep (implicit)"]
    assert set(found.facts.script) == {"ocr"}


# Where it ends up


PLACES: list[tuple[str, list[Do], list[str], str]] = [
    ("nothing said", [], ["keep (implicit)"], "kept"),
    ("keep", ["keep"], ["keep"], "kept"),
    ("move", [{"move": "A"}], ["move A"], "moved"),
    ("discard", ["discard"], ["discard"], "gone"),
    ("file", [{"file": "lists"}], ["file lists"], "gone"),
    ("file to an mbox", [{"file": "lists.mbox"}], ["file lists.mbox"], "gone"),
    ("file and keep", [{"file": "lists"}, "keep"], ["file lists", "keep"], "kept"),
    ("quarantine", [{"quarantine": "bad"}], ["quarantine bad"], "gone"),
    ("reject", [{"reject": "no"}], ["reject 5.7.1 no"], "gone"),
    ("exec", [{"exec": ["/bin/true"]}], ["exec /bin/true", "keep (implicit)"], "kept"),
    ("exec that delivers", [{"exec": {"command": ["/bin/true"], "delivers": True}}], ["exec /bin/true"], "gone"),
    ("archive", [{"archive": "all"}], ["archive all", "keep (implicit)"], "kept"),
    ("copy", [{"copy": "A"}], ["copy A", "keep (implicit)"], "kept"),
    ("the last place wins", ["discard", {"move": "A"}, {"move": "B"}], ["move B"], "moved"),
    ("the last place wins, keep", [{"move": "A"}, "keep"], ["keep"], "kept"),
]


@pytest.mark.parametrize(("do", "expected", "place"), [row[1:] for row in PLACES], ids=[row[0] for row in PLACES])
def test_the_place_of_a_message(do: list[Do], expected: list[str], place: str) -> None:
    found = planned(rule("r", *do))
    assert lines(found) == expected
    assert found.settlement.place == place


def test_a_place_that_replaces_another_says_so_in_the_trace_of_its_rule() -> None:
    found = planned(rule("one", {"move": "A"}), rule("two", "discard"), rule("three", {"flag": "$X"}))
    assert [len(trace.notes) for trace in found.trace.rules] == [0, 1, 0]
    assert "`move`" in found.trace.rules[1].notes[0]


def test_a_folder_that_is_not_to_be_made_is_told_to_who_settles() -> None:
    found = planned(rule("r", {"move": {"folder": "A", "create": False}}))
    assert (found.settlement.folder, found.settlement.create) == ("A", False)


def test_where_the_worker_delivers_the_place_is_the_last_effect_but_for_remember() -> None:
    view = testing.view(home=Store("/srv/mail/ann"), flags=frozenset({"\\Seen"}))
    found = planned(rule("r", "duplicate", {"move": "A"}, {"copy": "B"}, {"archive": "all"}), view=view)
    assert [(effect.effect.word, effect.place) for effect in found.effects] == [
        ("copy", False), ("archive", False), ("move", True), ("remember", False),
    ]  # fmt: skip
    assert [effect.ordinal for effect in found.effects] == [0, 1, 2, 3]
    assert found.settlement.copies == ()


def test_where_a_source_settles_moves_and_copies_are_no_effects() -> None:
    found = planned(rule("r", {"copy": "B"}, {"copy": "C"}, {"move": "A"}, {"flag": "$X"}, {"unflag": "\\Seen"}))
    assert found.effects == ()
    assert found.settlement.copies == ("B", "C")
    assert found.settlement.add == {"$X"}
    assert found.settlement.remove == {"\\Seen"}


def test_the_last_word_on_a_flag_wins() -> None:
    found = planned(rule("r", {"flag": "$A"}, {"unflag": "$B"}, {"unflag": "$A"}, {"flag": "$B"}))
    assert found.settlement.add == {"$B"}
    assert found.settlement.remove == {"$A"}


def test_what_is_delivered_carries_the_flags_that_its_home_can_hold_and_the_trace_names_the_others() -> None:
    view = testing.view(home=Store("/srv/mail/ann"), flags=frozenset({"\\Seen", "\\Answered"}))
    found = planned(rule("r", {"flag": ["\\Flagged", "$Work"]}, {"unflag": "\\Seen"}), view=view)
    [keep] = found.effects
    assert keep.effect.model_dump(mode="json")["flags"] == ["\\Answered", "\\Flagged"]
    assert [note for note in notes(found) if "$Work" in note and "cannot hold" in note]
    assert not [note for note in notes(found) if "Flagged" in note]


def test_a_copy_carries_the_flags_set_so_far() -> None:
    found = planned(
        rule("r", {"copy": "A"}, {"flag": "\\Seen"}, {"copy": "B"}), view=testing.view(home=Store("/srv/m"))
    )
    flags = [effect.effect.model_dump(mode="json")["flags"] for effect in found.effects]
    assert flags == [[], ["\\Seen"], ["\\Seen"]]


# Keys


MANY: list[Do] = [
    {"archive": "a"},
    {"archive": "a"},
    {"archive": "b"},
    {"file": "lists"},
    {"file": "l.mbox"},
    "keep",
    "duplicate",
]


def keys(*rules: Rule, **view: Any) -> list[str]:
    found = planned(*rules, view=testing.view(**{"home": Store("/srv/mail/ann"), **view}))
    return [effect.key for effect in found.effects]


def test_an_effect_has_the_same_key_when_it_is_planned_again_and_when_the_rules_were_edited() -> None:
    first = keys(rule("r", *MANY))
    assert first == keys(rule("r", *MANY))
    assert first == keys(rule("other name", *MANY[:3]), rule("another", *MANY[3:]))
    assert all(len(key) == 26 and key.isalnum() and key == key.lower() for key in first)


def test_effects_that_are_repeated_and_those_of_other_messages_have_keys_of_their_own() -> None:
    first, other = keys(rule("r", *MANY)), keys(rule("r", *MANY), key="another message")
    assert len(first) == len(MANY)
    assert len({*first, *other}) == 2 * len(MANY)


def test_flags_in_another_order_make_the_same_key() -> None:
    names = ["\\Seen", "\\Flagged", "\\Draft", "\\Answered"]
    assert keys(rule("r", {"flag": names})) == keys(rule("r", {"flag": names[::-1]}))


def test_variables_in_another_order_make_the_same_key() -> None:
    several = [{"exec": {"command": ["/bin/true"], "env": env}} for env in ({"A": "1", "B": "2"}, {"B": "2", "A": "1"})]
    assert keys(rule("r", several[0])) == keys(rule("r", several[1]))


# The trace


def test_what_is_stored_of_a_trace_holds_nothing_of_the_message() -> None:
    raw = testing.message(
        from_=f"{SECRET} <{SECRET}@{SECRET}.example>", subject=SECRET, text=SECRET, attachments=[f"{SECRET}.pdf"]
    )
    asks = {"subject": "*", "body": "*", "from": {"name": "*"}, "attachment": "*.pdf", "not": {"to": "x"}}
    found = planned(
        rule(
            "r", {"move": "{{ from.local }}"}, {"move": "{{ subject }}"}, {"flag": "$X"}, "duplicate", "spam", when=asks
        ),
        view=testing.view(raw, home=Store("/srv/mail/ann")),
    )
    assert notes(found)
    assert SECRET in found.model_dump_json()
    assert SECRET not in found.trace.model_dump_json()


def test_a_plan_says_which_rules_made_it() -> None:
    found = planned(rule("one", {"archive": "a"}), rule("two", {"flag": "$X"}))
    assert (found.pipeline, found.version) == ("main", "1")
    assert [(line.rule, line.word, line.implicit) for line in found.lines] == [
        ("one", "archive", False), ("two", "flag", False), ("", "keep", True),
    ]  # fmt: skip
