from typing import Any

import pytest
from pydantic import ValidationError

from postroom import steps, testing
from postroom.errors import Permanent
from postroom.pipeline.outcome import Effect


def planned(subject: str = "Hello", **options: object) -> Effect:
    step = steps.step("reject").model_validate(options)
    [made] = step.plan(testing.view(testing.message(subject=subject)), testing.tools())
    assert isinstance(made, Effect)
    return steps.effect(made.word).model_validate_json(made.model_dump_json())


@pytest.mark.parametrize(
    ("options", "reply"),
    [
        ({"text": "we do not take mail from you"}, "5.7.1 we do not take mail from you"),
        ({"text": "no such project", "code": "5.1.1"}, "5.1.1 no such project"),
        ({"text": "nicht für uns"}, "5.7.1 nicht f?r uns"),
    ],
    ids=["default", "code", "not ASCII"],
)
def test_the_source_is_told_the_code_and_the_text(options: dict[str, Any], reply: str) -> None:
    made = planned(**options)
    assert (made.target, made.delivers) == (reply, True)
    assert made.perform(testing.letter(), testing.tools()).reply == reply


def test_what_nobody_hears_is_no_rejection() -> None:
    with pytest.raises(Permanent, match="nobody can be told"):
        planned(text="no").perform(testing.letter(), testing.tools(answers=False))


def test_a_message_cannot_break_the_line_of_the_reply() -> None:
    raw_subject = "x\r\n 250 OK\tand more " + "y" * 2000
    reply = planned(raw_subject, text="no: {{ subject }}").perform(testing.letter(), testing.tools()).reply
    assert reply.isprintable()
    assert reply.isascii()
    assert len(reply) < 500


@pytest.mark.parametrize("code", ["4.7.1", "550", "5.7", "5.7.1000", "5.7.1\n", "2.0.0"], ids=repr)
def test_a_code_that_does_not_refuse_is_refused(code: str) -> None:
    with pytest.raises(ValidationError):
        planned(text="no", code=code)
