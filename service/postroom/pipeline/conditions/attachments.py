"""Fields of attachments and sizes: `attachment`, `attachments`, `size`."""

from collections.abc import Callable, Sequence
from typing import Final

from postroom.pipeline.condition import Condition
from postroom.pipeline.conditions import fields
from postroom.pipeline.conditions.patterns import Both, Of, Test
from postroom.pipeline.conditions.questions import asks, compared, number, part
from postroom.pipeline.conditions.reading import OPERATORS, Question, Reader, Trail
from postroom.pipeline.text import Text
from postroom.pipeline.view import View


def attachment(reader: Reader, data: object, trail: Trail) -> Condition | None:
    """A pattern on the name, or name, type and size, all of which one attachment has to hold."""
    if not isinstance(data, dict) or any(word in OPERATORS for word in data):
        question = reader.text(data, trail)
        if question is None:
            return None
        some = None if question.some is None else Of(_names, question.some)
        every = None if question.every is None else Of(_names, question.every)
        asked = Question[fields.Attachment](some=some, every=every, exists=question.exists)
        return asks("attachment", data, fields.attachments, _shown, asked)
    tests = [_PARTS.get(str(word), _no_part)(reader, value, (*trail, str(word))) for word, value in data.items()]
    known = [test for test in tests if test is not None]
    if not known or len(known) < len(tests):
        return None
    some_of = known[0] if len(known) == 1 else Both(tuple(known))
    return asks("attachment", data, fields.attachments, _shown, Question(some=some_of))


def _no_part(reader: Reader, data: object, trail: Trail) -> None:
    reader.unknown(trail, "part of an attachment", str(trail[-1]), tuple(_PARTS))


def _size(reader: Reader, data: object, trail: Trail) -> Test[fields.Attachment] | None:
    test = reader.patterns(data, trail, reader.sizes)
    return None if test is None else Of(lambda value: value.sizes, test)


def attachments(reader: Reader, data: object, trail: Trail) -> Condition | None:
    def count(view: View) -> Sequence[float]:
        return (len(view.message.attachments),)

    return compared(reader, "attachments", data, trail, count, number, reader.numbers)


def size(reader: Reader, data: object, trail: Trail) -> Condition | None:
    return compared(reader, "size", data, trail, lambda view: (view.message.size,), number, reader.sizes)


def _names(value: fields.Attachment) -> Sequence[Text]:
    return value.names


def _given(value: fields.Attachment) -> Sequence[Text]:
    return value.given


def _types(value: fields.Attachment) -> Sequence[Text]:
    return value.types


def _shown(value: fields.Attachment) -> str:
    return value.names[0].plain


_PARTS: Final[dict[str, Callable[[Reader, object, Trail], Test[fields.Attachment] | None]]] = {
    "name": lambda reader, value, place: part(reader, value, place, _given),
    "type": lambda reader, value, place: part(reader, value, place, _types),
    "size": _size,
}
