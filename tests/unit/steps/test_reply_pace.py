"""The step `reply`: once for each sender in the time, not too late, not too many, and never in a circle."""

from datetime import timedelta

import pytest

from postroom import testing
from postroom.errors import Permanent, PostroomError, Temporary, Uncertain
from postroom.pipeline.outcome import Note
from postroom.pipeline.outgoing import Reply
from postroom.pipeline.view import Envelope
from postroom.steps.reply import ReplyEffect
from unit.steps.answering import NOW, perform, planned, sent, tools, why


def test_a_sender_gets_one_answer_in_the_time() -> None:
    now = NOW
    context = tools(memory=testing.Memory(clock=lambda: now))
    perform(planned(None, context, every="2d"), context)
    assert why(planned(None, context, every="2d")) == "its sender got an answer lately"
    now += timedelta(days=3)
    assert isinstance(planned(None, context, every="2d"), ReplyEffect)


def test_two_messages_planned_at_once_get_one_answer() -> None:
    context = tools()
    one, two = planned(None, context), planned(None, context)
    perform(one, context, key="a" * 26)
    assert perform(two, context, key="b" * 26).repeated
    assert len(sent(context)) == 1


def test_another_answer_and_another_sender_are_another_matter() -> None:
    context = tools()
    perform(planned(None, context), context)
    assert isinstance(planned(None, context, text="Another."), ReplyEffect)
    view = {"envelope": Envelope(sender="eve@example.org", recipients=("bob@example.com",))}
    assert isinstance(planned(None, context, view=view), ReplyEffect)


def test_the_memory_holds_no_address() -> None:
    memory = testing.Memory()
    context = tools(memory=memory)
    perform(planned(None, context), context)
    assert "ann" not in repr(memory.entries)


def test_no_more_than_so_many_answers_go_within_an_hour_over_all() -> None:
    now = NOW
    context = tools(memory=testing.Memory(clock=lambda: now))
    for number in range(5):
        view = {"envelope": Envelope(sender=f"u{number}@example.org", recipients=("bob@example.com",))}
        perform(planned(None, context, view=view, **{"per-hour": 3}), context, key=f"{number}" * 26)
    assert len(sent(context)) == 3
    now += timedelta(hours=1, seconds=1)
    view = {"envelope": Envelope(sender="late@example.org", recipients=("bob@example.com",))}
    perform(planned(None, context, view=view, **{"per-hour": 3}), context, key="z" * 26)
    assert len(sent(context)) == 4


def test_an_answer_expires_after_a_day() -> None:
    late = NOW + timedelta(days=1, seconds=1)
    assert why(planned(None, view={"now": late})) == "it came more than a day ago"
    context = tools(clock=lambda: late)
    assert perform(planned(), context).detail == "not answered: it came more than a day ago"
    assert sent(context) == []


def test_old_mail_that_a_mailbox_held_gets_no_answer() -> None:
    raw = testing.message(date=NOW - timedelta(days=8))
    assert why(planned(raw)) == "it says that it is more than a week old"


@pytest.mark.parametrize(
    ("reply", "error"), [(Reply(code=450), Temporary), (Reply(code=550), Permanent), (Reply(code=0), Uncertain)]
)
def test_the_servers_answer_decides(reply: Reply, error: type[PostroomError]) -> None:
    transport = testing.Transport(replies={"ann@example.org": reply})
    context = tools(servers={"relay": transport})
    with pytest.raises(error):
        perform(planned(None, context), context)
    transport.replies.clear()
    again = perform(planned(), context, uncertain=error is Uncertain)
    # What may have gone out is not sent again.
    assert again.repeated == (error is Uncertain)
    assert len(transport.sent) == (1 if error is Uncertain else 2)


# Loops


def test_a_vacation_against_a_vacation_stops() -> None:
    """Two sites that answer each other: one answer goes out, and the other says why it sends none."""
    told = ""
    at, raw, envelope = 0, testing.message(), Envelope(sender="ann@example.org", recipients=("bob@example.com",))
    sites = [tools(), tools()]
    for _ in range(10):
        made = planned(raw, sites[at], view={"envelope": envelope})
        if isinstance(made, Note):
            told = made.text
            break
        perform(made, sites[at], raw, envelope=envelope)
        [*_, mail] = sent(sites[at])
        raw, at = b"".join(mail.chunks), 1 - at
        envelope = Envelope(sender=mail.sender, recipients=mail.recipients)
    assert told == "not answered: its sender is <>"
    assert [len(sent(site)) for site in sites] == [1, 0]


def test_a_robot_that_hides_what_it_is_gets_one_answer() -> None:
    """It answers from an address, as a person would, whenever it is answered."""
    context, rounds = tools(), 0
    while isinstance(made := planned(testing.message(message_id=f"<{rounds}@x>"), context), ReplyEffect):
        perform(made, context, key=f"{rounds:026}")
        rounds += 1
        assert rounds < 10
    assert rounds == 1
