"""Questions on behalf of somebody who cannot wait: in time or not, and never more than one at once."""

import threading

import pytest

from postroom.asking import Question


def test_an_answer_is_given_as_it_comes() -> None:
    assert Question(lambda: 17).answer(60) == 17


def test_an_answer_that_takes_too_long_is_not_waited_for_and_not_asked_for_twice() -> None:
    asked: list[int] = []
    answered = threading.Event()

    def ask() -> int:
        asked.append(1)
        answered.wait(60)
        return len(asked)

    question = Question(ask)
    for _ in range(3):
        with pytest.raises(TimeoutError):
            question.answer(0.01)
    answered.set()
    assert question.answer(60) == 1
    assert asked == [1]


def test_an_answer_is_good_for_a_while_and_then_asked_for_anew() -> None:
    now = [0.0]
    numbers = iter(range(9))
    question = Question(lambda: next(numbers), fresh=1.0, clock=lambda: now[0])
    assert [question.answer(60), question.answer(60)] == [0, 0]
    now[0] = 1.0
    assert question.answer(60) == 1


def test_who_asks_is_told_what_went_wrong_and_the_next_one_may_have_more_luck() -> None:
    now = [0.0]
    tries = iter([OSError("away"), None])

    def ask() -> str:
        if error := next(tries):
            raise error
        return "well"

    question = Question(ask, fresh=1.0, clock=lambda: now[0])
    for _ in range(2):
        with pytest.raises(OSError, match="away"):
            question.answer(60)
    now[0] = 1.0
    assert question.answer(60) == "well"
