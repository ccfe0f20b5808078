from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from postroom import steps, testing
from postroom.errors import Held, Temporary
from postroom.pipeline.outcome import Effect, Fact, Note, Outcome
from postroom.pipeline.tools import Reservation, Tools
from postroom.pipeline.view import Facts
from postroom.steps.duplicate import RememberEffect


def planned(
    tools: Tools, raw: bytes | None = None, *, key: str = "first", mailbox: str = "m", **options: Any
) -> list[Outcome]:
    step = steps.step("duplicate").model_validate(options)
    return [*step.plan(testing.view(raw, key=key, mailbox=mailbox), tools)]


def told(outcomes: list[Outcome]) -> bool | None:
    [fact] = [outcome for outcome in outcomes if isinstance(outcome, Fact)]
    return fact.facts.duplicate


def perform(outcomes: list[Outcome], tools: Tools) -> None:
    for outcome in outcomes:
        if isinstance(outcome, Effect):
            effect = steps.effect(outcome.word).model_validate_json(outcome.model_dump_json())
            assert effect == outcome
            effect.perform(testing.letter(), tools)


def test_the_second_message_of_its_kind_is_a_duplicate_once_the_first_is_done() -> None:
    tools = testing.tools()
    first = planned(tools)
    assert told(first) is False
    perform(first, tools)
    again = planned(tools, key="second")
    assert told(again) is True
    assert not [outcome for outcome in again if isinstance(outcome, Effect)]


def test_remembering_waits_for_all_else_and_can_be_repeated() -> None:
    [effect] = [outcome for outcome in planned(testing.tools()) if isinstance(outcome, RememberEffect)]
    memory = testing.Memory()
    tools = testing.tools(memory=memory)
    assert (effect.last, effect.repeatable, effect.delivers) == (True, True, False)
    for _ in range(2):
        effect.perform(testing.letter(), tools)
        assert memory.recall(effect.space, effect.key)


def test_what_another_message_has_remembered_meanwhile_stays_its_own() -> None:
    tools = testing.tools()
    [effect] = [outcome for outcome in planned(tools) if isinstance(outcome, RememberEffect)]
    other = effect.model_copy(update={"holder": "second"})
    effect.perform(testing.letter(), tools)
    assert other.perform(testing.letter(), tools).repeated
    assert tools.memory.reserve(effect.space, effect.key, "first", effect.period) == Reservation.FREE


def test_a_message_planned_again_is_no_duplicate_of_itself() -> None:
    tools = testing.tools()
    assert told(planned(tools)) is False
    perform(planned(tools), tools)
    assert told(planned(tools)) is False


def test_while_another_message_holds_the_key_this_one_waits() -> None:
    tools = testing.tools()
    planned(tools)
    with pytest.raises(Held):
        planned(tools, key="second")


def test_a_message_that_failed_frees_its_key() -> None:
    memory = testing.Memory()
    tools = testing.tools(memory=memory)
    planned(tools)
    memory.release("first")
    assert told(planned(tools, key="second")) is False


def test_after_its_period_a_key_is_forgotten() -> None:
    now = [testing.NOW]
    memory = testing.Memory(clock=lambda: now[0])
    tools = testing.tools(memory=memory)
    period: dict[str, Any] = {"for": "2d"}
    perform(planned(tools, **period), tools)
    now[0] += timedelta(days=2, seconds=-1)
    assert told(planned(tools, key="second", **period)) is True
    now[0] += timedelta(seconds=1)
    assert told(planned(tools, key="third", **period)) is False


MISSING = {
    "message-id": testing.message(message_id=None),
    "from": testing.message(from_=None),
    "date": testing.message(date=None),
    "a date that is none": testing.message(date="yesterday"),
    "subject": testing.message(subject=None),
    "body": testing.message(text=""),
}


@pytest.mark.parametrize("what", MISSING)
def test_a_message_that_lacks_a_field_is_no_duplicate_and_reserves_nothing(what: str) -> None:
    memory = testing.Memory()
    by = ["message-id", "from", "date", "subject", "body"]
    outcomes = planned(testing.tools(memory=memory), MISSING[what].replace(b"\r\n\r\n\r\n", b"\r\n\r\n"), by=by)
    assert told(outcomes) is False
    assert [type(outcome) for outcome in outcomes] == [Note, Fact]
    assert memory.entries == {}


@pytest.mark.parametrize(
    ("other", "same"),
    [
        pytest.param(testing.message(subject="Another"), True, id="a field that is not asked"),
        pytest.param(testing.message(message_id="<1@EXAMPLE.org>"), False, id="another case of letters"),
        pytest.param(testing.message(from_="eve@example.org"), False, id="another author"),
        pytest.param(testing.message(from_="Other Name <ann@example.org>"), True, id="another name, same address"),
        pytest.param(testing.message(date="Sun, 1 Mar 2026 13:00:00 +0100"), False, id="the date in another zone"),
    ],
)
def test_messages_are_alike_when_all_that_is_asked_is_equal(other: bytes, same: bool) -> None:
    tools = testing.tools()
    perform(planned(tools), tools)
    assert told(planned(tools, other, key="second")) is same


@pytest.mark.parametrize(
    "change",
    [{"mailbox": "other"}, {"by": ["message-id", "from"]}],
    ids=["another mailbox", "another `by`"],
)
def test_memories_are_kept_apart(change: dict[str, Any]) -> None:
    tools = testing.tools()
    perform(planned(tools), tools)
    assert told(planned(tools, key="second", **change)) is False


def test_the_order_of_by_makes_no_difference() -> None:
    tools = testing.tools()
    perform(planned(tools, by=["from", "message-id"]), tools)
    assert told(planned(tools, key="second", by=["message-id", "from"])) is True


@pytest.mark.parametrize("by", ["body", "raw"])
def test_equal_contents_can_be_asked(by: str) -> None:
    tools = testing.tools()
    perform(planned(tools, by=by), tools)
    assert told(planned(tools, key="second", by=by)) is True
    assert told(planned(tools, testing.message(text="Bye.\n"), key="third", by=by)) is False


def test_neither_memory_nor_effect_holds_anything_of_the_message() -> None:
    memory = testing.Memory()
    outcomes = planned(testing.tools(memory=memory), by=["message-id", "from", "date", "subject", "body"])
    [effect] = [outcome for outcome in outcomes if isinstance(outcome, RememberEffect)]
    for value in ("example.org", "Hello", "Mar", "2026-03-01"):
        assert value not in effect.model_dump_json() + repr([*memory.entries])


def test_what_a_test_gives_is_taken_and_nothing_reserved() -> None:
    memory = testing.Memory()
    outcomes = planned(testing.tools(memory=memory, given=Facts(duplicate=True)))
    assert outcomes == [Fact(Facts(duplicate=True))]
    assert memory.entries == {}


def test_a_memory_that_is_away_makes_the_message_wait() -> None:
    with pytest.raises(Temporary):
        planned(testing.tools(memory=testing.Memory(failures=testing.Failures({1}))))


@pytest.mark.parametrize(
    "options", [{"by": []}, {"by": ["colour"]}, {"for": "7"}], ids=["nothing", "unknown", "no unit"]
)
def test_wrong_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        steps.step("duplicate").model_validate(options)
