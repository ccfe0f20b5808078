from email import message_from_bytes
from typing import Any

import pytest
from pydantic import ValidationError

from postroom import steps, testing
from postroom.message import edited, parse
from postroom.pipeline.outcome import Edited
from postroom.pipeline.view import View


def outcomes(raw: bytes, view: View | None = None, **options: Any) -> list[Edited]:
    step = steps.step("header").model_validate(options)
    found = [*step.plan(view or testing.view(raw), testing.tools())]
    assert all(isinstance(outcome, Edited) for outcome in found)
    return [outcome for outcome in found if isinstance(outcome, Edited)]


def after(raw: bytes, **options: Any) -> bytes:
    return b"".join(edited(raw, [outcome.edit for outcome in outcomes(raw, **options)]))


def test_fields_are_removed_then_set_then_added_on_top() -> None:
    raw = b"X-Spam-A: 1\r\nx-spam-b: 2\r\nTo: a@b.example\r\nX-P: old\r\nx-p: older\r\n\r\nHi\r\n"
    made = after(raw, remove=["X-Spam-*"], set={"X-P": "new", "X-Spam-A": "ours"}, add={"X-Top": "t"})
    assert made == b"X-Top: t\r\nX-Spam-A: ours\r\nTo: a@b.example\r\nX-P: new\r\n\r\nHi\r\n"


def test_each_change_is_told_and_what_is_absent_is_not() -> None:
    raw = testing.message(headers={"X-A": "1"})
    found = outcomes(raw, remove=["x-a", "X-B"], set={"X-C": "{{ from.local }}"}, add={"X-D": "d"})
    assert [outcome.target for outcome in found] == ["remove x-a", "set X-C: ann", "add X-D: d"]


def test_a_field_behind_the_limit_does_not_escape_removal() -> None:
    from postroom.message import Limits

    raw = b"".join(b"A%d: x\r\n" % number for number in range(20)) + b"X-Evil: 1\r\n\r\nHi\r\n"
    view = testing.view(message=parse(raw, limits=Limits(headers=10)))
    [found] = outcomes(raw, view, remove="X-Evil")
    assert b"X-Evil" not in b"".join(edited(raw, [found.edit]))


@pytest.mark.parametrize(
    "name",
    ["=?utf-8?q?a=0D=0ABcc:_x@evil.example?= <a@b.example>", '"a\r\n Bcc: x@evil.example" <a@b.example>'],
    ids=["encoded", "folded"],
)
def test_a_senders_name_cannot_begin_another_header(name: str) -> None:
    made = after(testing.message(from_=name), add={"X-From": "{{ from.name }}"}, set={"X-Set": "{{ from.name }}"})
    assert message_from_bytes(made)["Bcc"] is None
    assert parse(made).bcc == ()
    assert "evil.example" in str(message_from_bytes(made)["X-From"])


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({}, id="nothing to do"),
        pytest.param({"set": {"X A": "1"}}, id="space in a name"),
        pytest.param({"add": {"X-A:": "1"}}, id="colon in a name"),
        pytest.param({"add": {"": "1"}}, id="no name"),
        pytest.param({"add": {"X-Ä": "1"}}, id="name not ASCII"),
        pytest.param({"add": {"X-A\r\nBcc": "1"}}, id="line break in a name"),
        pytest.param({"remove": ["X-A\n"]}, id="line break behind a name"),
        pytest.param({"add": {"X" * 77: "1"}}, id="name too long for a line"),
        pytest.param({"set": {"X-A": "1\r\nBcc: x"}}, id="line break in a value"),
        pytest.param({"set": {"X-A": "{{ subject.nothing }}"}}, id="template of nothing"),
    ],
)
def test_wrong_options_are_refused_when_the_file_is_read(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        steps.step("header").model_validate(options)
