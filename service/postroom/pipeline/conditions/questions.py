"""What is asked of a field's values: conditions made of tests, with the operator's words for whoever explains."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from postroom.pipeline.condition import Condition
from postroom.pipeline.conditions.asks import Asks
from postroom.pipeline.conditions.logic import All
from postroom.pipeline.conditions.patterns import Both, HasTest, Of, Test
from postroom.pipeline.conditions.reading import Question, Reader, Trail
from postroom.pipeline.text import Text
from postroom.pipeline.view import View

V = TypeVar("V")
Read = Callable[[object, Trail], Test[V] | None]


def asks(
    name: str,
    data: object,
    values: Callable[[View], Sequence[V] | None],
    show: Callable[[V], str],
    question: Question[V],
    fact: str | None = None,
) -> Condition:
    """The condition itself. `fact`: what an earlier step has to find first."""
    return Asks(
        field=name,
        label=f"{name}: {spelled(data)}",
        values=values,
        show=show,
        some=question.some,
        every=question.every,
        exists=question.exists,
        fact=fact,
    )


def text(
    reader: Reader,
    name: str,
    data: object,
    trail: Trail,
    values: Callable[[View], Sequence[Text] | None],
    fact: str | None = None,
) -> Condition | None:
    """Patterns and operators over text."""
    question = reader.text(data, trail)
    if question is None:
        return None
    return asks(name, data, values, plain, question, fact=fact)


def part(reader: Reader, data: object, trail: Trail, forms: Callable[[V], Sequence[Text]]) -> Test[V] | None:
    """A test of one part of a value: text that has to hold of one of its forms."""
    question = reader.text(data, trail)
    if question is None:
        return None
    if question.every is not None:
        reader.wrong(trail, "`every` asks about the whole field, not about a part of a value")
        return None
    asked: list[Test[V]] = [Of(forms, question.some)] if question.some is not None else []
    if question.exists is not None:
        asked.append(HasTest(forms, question.exists))
    return asked[0] if len(asked) == 1 else Both(tuple(asked))


def compared(
    reader: Reader,
    name: str,
    data: object,
    trail: Trail,
    values: Callable[[View], Sequence[V] | None],
    show: Callable[[V], str],
    read: Read[V],
    fact: str | None = None,
) -> Condition | None:
    """A comparison, a list of which one has to hold, or whether there is a value."""
    if isinstance(data, dict):
        for word in data:
            if word != "exists":
                reader.unknown((*trail, str(word)), "operator", str(word), ("exists",))
                return None
        exists = reader.truth(data.get("exists"), (*trail, "exists"))
        return None if exists is None else asks(name, data, values, show, Question[V](exists=exists), fact=fact)
    some = reader.patterns(data, trail, read)
    return None if some is None else asks(name, data, values, show, Question(some=some), fact=fact)


def together(reader: Reader, parts: Sequence[Condition | None], trail: Trail) -> Condition | None:
    """All of them hold; None where one could not be read, or there are none."""
    known = [part for part in parts if part is not None]
    if not parts:
        reader.wrong(trail, "a value is missing here")
    if not known or len(known) < len(parts):
        return None
    return known[0] if len(known) == 1 else All(tuple(known))


def spelled(data: object) -> str:
    """The operator's words, on one line."""
    match data:
        case dict():
            return "{" + ", ".join(f"{key}: {spelled(value)}" for key, value in data.items()) + "}"
        case list():
            return "[" + ", ".join(map(spelled, data)) + "]"
        case bool():
            return "true" if data else "false"
    return str(data)


def plain(value: Text) -> str:
    return value.plain


def number(value: float) -> str:
    return f"{value:.12g}"


def yes_no(value: bool) -> str:
    return "true" if value else "false"
