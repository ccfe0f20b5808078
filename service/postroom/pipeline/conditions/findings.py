"""Fields of facts that earlier steps found: `spam`, `auth`, `virus`, `script`."""

from collections.abc import Callable, Sequence
from typing import Any

from postroom.pipeline.condition import Condition
from postroom.pipeline.conditions import fields
from postroom.pipeline.conditions.patterns import BoolTest
from postroom.pipeline.conditions.questions import asks, compared, number, text, together, yes_no
from postroom.pipeline.conditions.reading import Question, Reader, Trail
from postroom.pipeline.text import Text, texts
from postroom.pipeline.view import View


def spam(reader: Reader, data: object, trail: Trail) -> Condition | None:
    if not isinstance(data, dict):
        return compared(reader, "spam", data, trail, _score, number, reader.numbers, fact="spam")
    parts: list[Condition | None] = []
    for word, value in data.items():
        place = (*trail, str(word))
        if word == "score":
            parts.append(compared(reader, "spam.score", value, place, _score, number, reader.numbers, fact="spam"))
        elif word == "verdict":
            parts.append(text(reader, "spam.verdict", value, place, _verdict, fact="spam"))
        elif word == "symbol":
            parts.append(text(reader, "spam.symbol", value, place, _symbols, fact="spam"))
        else:
            reader.unknown(place, "part of spam", str(word), ("score", "verdict", "symbol"))
            parts.append(None)
    return together(reader, parts, trail)


def auth(reader: Reader, data: object, trail: Trail) -> Condition | None:
    """Text on each result, by the method's name."""
    if not isinstance(data, dict):
        reader.wrong(trail, "name the method and its result: `auth: {dmarc: fail}`")
        return None
    parts: list[Condition | None] = []
    for word, value in data.items():
        place = (*trail, str(word))
        if word in fields.AUTH:
            parts.append(text(reader, f"auth.{word}", value, place, fields.AUTH[word], fact="auth"))
        else:
            reader.unknown(place, "method", str(word), tuple(fields.AUTH))
            parts.append(None)
    return together(reader, parts, trail)


def virus(reader: Reader, data: object, trail: Trail) -> Condition | None:
    if not isinstance(data, dict):
        return _infected(reader, "virus", data, trail)
    parts: list[Condition | None] = []
    for word, value in data.items():
        place = (*trail, str(word))
        if word == "found":
            parts.append(_infected(reader, "virus.found", value, place))
        elif word == "name":
            parts.append(text(reader, "virus.name", value, place, _virus_names, fact="virus"))
        else:
            reader.unknown(place, "part of virus", str(word), ("found", "name"))
            parts.append(None)
    return together(reader, parts, trail)


def _infected(reader: Reader, name: str, data: object, trail: Trail) -> Condition | None:
    wanted = reader.truth(data, trail)
    if wanted is None:
        return None
    return asks(name, data, _found, yes_no, Question(some=BoolTest(wanted)), fact="virus")


def script(reader: Reader, data: object, trail: Trail) -> Condition | None:
    """What scripts answered: `script: {NAME: {key: value}}`."""
    if not isinstance(data, dict) or not all(isinstance(answer, dict) and answer for answer in data.values()):
        reader.wrong(trail, "name the script and what it answered: `script: {ocr: {language: de}}`")
        return None
    parts = [
        _answer(reader, str(name), str(key), value, (*trail, str(name), str(key)))
        for name, answer in data.items()
        for key, value in answer.items()
    ]
    return together(reader, parts, trail)


def _answer(reader: Reader, name: str, key: str, data: object, trail: Trail) -> Condition | None:
    """One value of a script's answer, asked by what the operator compares it with."""
    field, fact = f"script.{name}.{key}", f"script.{name}"
    values = fields.script_value(name, key)
    if isinstance(data, bool):
        return asks(field, data, _only(values, bool), yes_no, Question(some=BoolTest(data)), fact=fact)
    if isinstance(data, int | float) or (isinstance(data, str) and data[:1] in "<>="):
        return compared(reader, field, data, trail, _only(values, int, float), number, reader.numbers, fact=fact)

    def spelled(view: View) -> Sequence[Text] | None:
        found = values(view)
        return None if found is None else texts(value for value in found if isinstance(value, str))

    return text(reader, field, data, trail, spelled, fact=fact)


def _only(values: Callable[[View], Sequence[Any] | None], *kinds: type) -> Callable[[View], Sequence[Any] | None]:
    """Those of a script's values that are of a kind; JSON's true is no number."""

    def chosen(view: View) -> Sequence[Any] | None:
        found = values(view)
        return None if found is None else [value for value in found if type(value) in kinds]

    return chosen


def _score(view: View) -> Sequence[float] | None:
    spam = view.facts.spam
    return None if spam is None or spam.score is None else (spam.score,)


def _verdict(view: View) -> Sequence[Text] | None:
    spam = view.facts.spam
    return None if spam is None or spam.verdict is None else texts([spam.verdict])


def _symbols(view: View) -> Sequence[Text] | None:
    spam = view.facts.spam
    return None if spam is None else texts(spam.symbols)


def _found(view: View) -> Sequence[bool] | None:
    virus = view.facts.virus
    return None if virus is None else (virus.found,)


def _virus_names(view: View) -> Sequence[Text] | None:
    virus = view.facts.virus
    return None if virus is None else texts(virus.names)
