"""Fields of addresses: text on the addr-spec, or parts of one."""

from collections.abc import Callable, Sequence
from typing import Final

from postroom.pipeline.condition import Condition
from postroom.pipeline.conditions import fields
from postroom.pipeline.conditions.patterns import Both, Of, Test
from postroom.pipeline.conditions.questions import asks, part
from postroom.pipeline.conditions.reading import NEVER, OPERATORS, Question, Reader, Trail
from postroom.pipeline.text import Text

PARTS: Final[dict[str, Callable[[fields.Mailbox], Sequence[Text]]]] = {
    "name": lambda value: value.name,
    "domain": lambda value: value.domains,
    "local": lambda value: value.local,
    "detail": lambda value: value.detail,
}


def address(reader: Reader, name: str, data: object, trail: Trail) -> Condition | None:
    """Text on the addr-spec, or a mapping of its parts, all of which one address has to hold."""
    values = fields.ADDRESSES[name]
    if not isinstance(data, dict):
        question = reader.text(data, trail)
        if question is None:
            return None
        return asks(name, data, values, _shown, Question(some=_of_spec(question.some)))
    unknown = [word for word in data if word not in PARTS and word not in OPERATORS]
    for word in unknown:
        reader.unknown((*trail, str(word)), "part of an address", str(word), (*PARTS, *OPERATORS))
    whole = (
        reader.text({word: data[word] for word in data if word in OPERATORS}, trail)
        if any(word in OPERATORS for word in data)
        else Question[Text]()
    )
    tests: list[Test[fields.Mailbox]] = []
    for word, forms in PARTS.items():
        if word in data and (test := part(reader, data[word], (*trail, word), forms)) is not None:
            tests.append(test)
    wanted = sum(word in data for word in PARTS)
    if whole is not None and whole.exists is False and wanted:
        reader.wrong((*trail, "exists"), NEVER)
        return None
    if unknown or whole is None or len(tests) < wanted:
        return None
    if (spec := _of_spec(whole.some)) is not None:
        tests.append(spec)
    some = tests[0] if len(tests) == 1 else Both(tuple(tests)) if tests else None
    asked = Question(some=some, every=_of_spec(whole.every), exists=whole.exists)
    return asks(name, data, values, _shown, asked)


def _of_spec(test: Test[Text] | None) -> Test[fields.Mailbox] | None:
    return None if test is None else Of(lambda value: value.specs, test, whole=True)


def _shown(value: fields.Mailbox) -> str:
    return value.specs[0].plain
