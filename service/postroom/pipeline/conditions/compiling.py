"""What an operator wrote under `when`, checked and compiled to conditions; every mistake is told at once."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any as AnyValue
from typing import Final, TypeVar

from postroom.errors import Problem
from postroom.pipeline.comparisons import (
    parse_ages,
    parse_hours,
    parse_instants,
    parse_numbers,
    parse_sizes,
    parse_weekday,
)
from postroom.pipeline.condition import Condition
from postroom.pipeline.conditions import fields
from postroom.pipeline.conditions.asks import Asks
from postroom.pipeline.conditions.logic import All, Any, Not
from postroom.pipeline.conditions.patterns import (
    BoolTest,
    Both,
    HasTest,
    HoursTest,
    InstantTest,
    NumberTest,
    Of,
    Test,
    WeekdayTest,
)
from postroom.pipeline.conditions.reading import NEVER, NOTHING, OPERATORS, Question, Reader, Trail
from postroom.pipeline.text import Text, texts
from postroom.pipeline.view import View

V = TypeVar("V")
Read = Callable[[object, Trail], Test[V] | None]
Parts: Final[dict[str, Callable[[fields.Mailbox], Sequence[Text]]]] = {
    "name": lambda value: value.name,
    "domain": lambda value: value.domains,
    "local": lambda value: value.local,
    "detail": lambda value: value.detail,
}
MOMENTS: Final = ("date", "received", "time", "weekday")
FIELDS: Final = (
    *fields.ADDRESSES, *fields.TEXTS, *fields.BOOLS, *MOMENTS,
    "attachment", "attachments", "size", "age", "spam", "virus", "auth", "script",
)  # fmt: skip
JOINS: Final = ("all", "any", "not")
DEEPEST: Final = 100  # keys and list places that lead to a condition
_HEADER: Final = re.compile(r"header\.([!-9;-~]{1,76})", re.IGNORECASE)  # RFC 5322 §3.6.8
_SYSTEM_FLAG: Final = re.compile(r"\\[A-Za-z*?]")
WORDS: Final = (*FIELDS, *JOINS, "header.<Name>")


def compile_condition(data: object, path: Trail, problems: list[Problem], *, directory: Path) -> Condition | None:
    """The condition that `data` (plain YAML) says, or None with what is wrong added to `problems`.

    `directory`: where files that `in-file` names lie.
    """
    return _Compiler(Reader(problems, directory)).when(data, path)


class _Compiler:
    def __init__(self, reader: Reader) -> None:
        self.read = reader

    def when(self, data: object, trail: Trail) -> Condition | None:
        """A mapping of fields, all of which hold."""
        if not isinstance(data, dict):
            self.read.wrong(trail, 'a condition is a mapping of fields: `subject: "*invoice*"`')
            return None
        if len(trail) > DEEPEST:
            self.read.wrong(trail, "conditions stand too deep within each other")
            return None
        if not data:
            self.read.wrong(trail, "an empty condition; leave `when` out where a rule is for every message")
            return None
        parts = [self.entry(str(name), value, (*trail, str(name))) for name, value in data.items()]
        known = [part for part in parts if part is not None]
        if len(known) < len(parts):
            return None
        return known[0] if len(known) == 1 else All(tuple(known))

    def entry(self, name: str, data: object, trail: Trail) -> Condition | None:
        if name == "not":
            part = self.when(data, trail)
            return None if part is None else Not(part)
        if name in ("all", "any"):
            return self.joined(name, data, trail)
        return self.field(name, data, trail)

    def joined(self, name: str, data: object, trail: Trail) -> Condition | None:
        if not isinstance(data, list) or not data:
            self.read.wrong(trail, f"`{name}` takes a list of conditions")
            return None
        parts = [self.when(each, (*trail, number)) for number, each in enumerate(data)]
        known = tuple(part for part in parts if part is not None)
        if len(known) < len(parts):
            return None
        return All(known) if name == "all" else Any(known)

    def field(self, name: str, data: object, trail: Trail) -> Condition | None:
        """One field; `name` is what the operator wrote."""
        if data is None:
            self.read.wrong(trail, NOTHING)
            return None
        if header := _HEADER.fullmatch(name):
            return self.text(name, data, trail, fields.header(header[1]))
        if name in fields.ADDRESSES:
            return self.address(name, data, trail)
        if name == "flags":
            return self.flags(data, trail)
        if name in fields.TEXTS:
            return self.text(name, data, trail, fields.TEXTS[name], fact="tag" if name == "tag" else None)
        if name in fields.BOOLS:
            return self.truth(name, data, trail)
        if name in FIELDS:
            return getattr(self, f"_{name}")(data, trail)  # type: ignore[no-any-return]  # methods below
        if name.lower() in ("header", "headers") or re.fullmatch("[A-Z][a-z]*(-[A-Za-z]+)+", name):
            inner = next(iter(data), "X-Name") if isinstance(data, dict) else "X-Name"
            asked = inner if name.lower() in ("header", "headers") else name
            self.read.wrong(trail, f"unknown field `{name}`; a field of the header is `header.{asked}`", key=True)
        else:
            self.read.unknown(trail, "field", name, WORDS)
        return None

    def text(
        self,
        name: str,
        data: object,
        trail: Trail,
        values: Callable[[View], Sequence[Text] | None],
        fact: str | None = None,
    ) -> Condition | None:
        question = self.read.text(data, trail)
        if question is None:
            return None
        return _asks(name, data, values, _plain, question, fact=fact)

    def flags(self, data: object, trail: Trail) -> Condition | None:
        """Globs in which the backslash of a system flag is itself, so that flags are written as `flag` takes them."""
        question = self.read.text(_with_backslashes(data), trail)
        return None if question is None else _asks("flags", data, fields.TEXTS["flags"], _plain, question)

    def truth(self, name: str, data: object, trail: Trail) -> Condition | None:
        wanted = self.read.truth(data, trail)
        if wanted is None:
            return None
        read = fields.BOOLS[name]

        def values(view: View) -> Sequence[bool] | None:
            value = read(view)
            return None if value is None else (value,)

        fact = "duplicate" if name == "duplicate" else None
        return _asks(name, data, values, _truth, Question(some=BoolTest(wanted)), fact=fact)

    def address(self, name: str, data: object, trail: Trail) -> Condition | None:
        """Text on the addr-spec, or a mapping of its parts, all of which one address has to hold."""
        values = fields.ADDRESSES[name]
        show = _spec
        if not isinstance(data, dict):
            question = self.read.text(data, trail)
            if question is None:
                return None
            return _asks(name, data, values, show, Question(some=_of_spec(question.some)))
        unknown = [word for word in data if word not in Parts and word not in OPERATORS]
        for word in unknown:
            self.read.unknown((*trail, str(word)), "part of an address", str(word), (*Parts, *OPERATORS))
        whole = (
            self.read.text({word: data[word] for word in data if word in OPERATORS}, trail)
            if any(word in OPERATORS for word in data)
            else Question[Text]()
        )
        tests: list[Test[fields.Mailbox]] = []
        for word, forms in Parts.items():
            if word in data and (test := self.part(data[word], (*trail, word), forms)) is not None:
                tests.append(test)
        wanted = sum(word in data for word in Parts)
        if whole is not None and whole.exists is False and wanted:
            self.read.wrong((*trail, "exists"), NEVER)
            return None
        if unknown or whole is None or len(tests) < wanted:
            return None
        if (spec := _of_spec(whole.some)) is not None:
            tests.append(spec)
        some = tests[0] if len(tests) == 1 else Both(tuple(tests)) if tests else None
        question_all = Question(some=some, every=_of_spec(whole.every), exists=whole.exists)
        return _asks(name, data, values, show, question_all)

    def part(self, data: object, trail: Trail, forms: Callable[[V], Sequence[Text]]) -> Test[V] | None:
        """A test of one part of a value: text that has to hold of one of its forms."""
        question = self.read.text(data, trail)
        if question is None:
            return None
        if question.every is not None:
            self.read.wrong(trail, "`every` asks about the whole field, not about a part of a value")
            return None
        asked: list[Test[V]] = [Of(forms, question.some)] if question.some is not None else []
        if question.exists is not None:
            asked.append(HasTest(forms, question.exists))
        return asked[0] if len(asked) == 1 else Both(tuple(asked))

    def compared(
        self, name: str, data: object, trail: Trail, values: Callable[[View], Sequence[V] | None],
        show: Callable[[V], str], read: Read[V], fact: str | None = None,
    ) -> Condition | None:  # fmt: skip
        """A comparison, a list of which one has to hold, or whether there is a value."""
        if isinstance(data, dict):
            for word in data:
                if word != "exists":
                    self.read.unknown((*trail, str(word)), "operator", str(word), ("exists",))
                    return None
            exists = self.read.truth(data.get("exists"), (*trail, "exists"))
            return None if exists is None else _asks(name, data, values, show, Question[V](exists=exists), fact=fact)
        some = self.read.patterns(data, trail, read)
        return None if some is None else _asks(name, data, values, show, Question(some=some), fact=fact)

    def _size(self, data: object, trail: Trail) -> Condition | None:
        return self.compared("size", data, trail, lambda view: (view.message.size,), _number, self.sizes)

    def _attachments(self, data: object, trail: Trail) -> Condition | None:
        def count(view: View) -> Sequence[float]:
            return (len(view.message.attachments),)

        return self.compared("attachments", data, trail, count, _number, self.numbers)

    def _attachment(self, data: object, trail: Trail) -> Condition | None:
        """A pattern on the name, or name, type and size, all of which one attachment has to hold."""
        if not isinstance(data, dict) or any(word in OPERATORS for word in data):
            question = self.read.text(data, trail)
            if question is None:
                return None
            some = None if question.some is None else Of(_names, question.some)
            every = None if question.every is None else Of(_names, question.every)
            asked = Question[fields.Attachment](some=some, every=every, exists=question.exists)
            return _asks("attachment", data, fields.attachments, _attachment_name, asked)
        reading: dict[str, Callable[[object, Trail], Test[fields.Attachment] | None]] = {
            "name": lambda value, place: self.part(value, place, lambda one: one.given),
            "type": lambda value, place: self.part(value, place, _types),
            "size": self._attachment_size,
        }
        tests = [reading.get(str(word), self._no_part)(value, (*trail, str(word))) for word, value in data.items()]
        known = [test for test in tests if test is not None]
        if not known or len(known) < len(tests):
            return None
        some_of = known[0] if len(known) == 1 else Both(tuple(known))
        return _asks("attachment", data, fields.attachments, _attachment_name, Question(some=some_of))

    def _no_part(self, data: object, trail: Trail) -> None:
        self.read.unknown(trail, "part of an attachment", str(trail[-1]), ("name", "type", "size"))

    def _attachment_size(self, data: object, trail: Trail) -> Test[fields.Attachment] | None:
        test = self.read.patterns(data, trail, self.sizes)
        return None if test is None else Of(lambda value: value.sizes, test)

    def _age(self, data: object, trail: Trail) -> Condition | None:
        def seconds(view: View) -> Sequence[float]:
            return ((view.now - view.received).total_seconds(),)

        def read(value: object, place: Trail) -> Test[float] | None:
            return self.read.tried(place, lambda: NumberTest(parse_ages(value)))

        return self.compared("age", data, trail, seconds, lambda value: f"{value:.0f}s", read)

    def _date(self, data: object, trail: Trail) -> Condition | None:
        def dates(view: View) -> Sequence[AnyValue]:
            return () if view.message.date is None else (view.message.date,)

        return self.compared("date", data, trail, dates, str, self.instants)

    def _received(self, data: object, trail: Trail) -> Condition | None:
        return self.compared("received", data, trail, lambda view: (view.received,), str, self.instants)

    def _time(self, data: object, trail: Trail) -> Condition | None:
        def read(value: object, place: Trail) -> Test[AnyValue] | None:
            return self.read.tried(place, lambda: HoursTest(parse_hours(value)))

        return self.compared("time", data, trail, lambda view: (view.received,), str, read)

    def _weekday(self, data: object, trail: Trail) -> Condition | None:
        def read(value: object, place: Trail) -> Test[AnyValue] | None:
            return self.read.tried(place, lambda: WeekdayTest(parse_weekday(value)))

        return self.compared("weekday", data, trail, lambda view: (view.received,), str, read)

    def _spam(self, data: object, trail: Trail) -> Condition | None:
        if not isinstance(data, dict):
            return self.compared("spam", data, trail, _score, _number, self.numbers, fact="spam")
        parts: list[Condition | None] = []
        for word, value in data.items():
            place = (*trail, str(word))
            if word == "score":
                parts.append(self.compared("spam.score", value, place, _score, _number, self.numbers, fact="spam"))
            elif word == "verdict":
                parts.append(self.text("spam.verdict", value, place, _verdict, fact="spam"))
            elif word == "symbol":
                parts.append(self.text("spam.symbol", value, place, _symbols, fact="spam"))
            else:
                self.read.unknown(place, "part of spam", str(word), ("score", "verdict", "symbol"))
                parts.append(None)
        return self.together(parts, trail)

    def _auth(self, data: object, trail: Trail) -> Condition | None:
        """Text on each result, by the method's name."""
        if not isinstance(data, dict):
            self.read.wrong(trail, "name the method and its result: `auth: {dmarc: fail}`")
            return None
        parts: list[Condition | None] = []
        for word, value in data.items():
            place = (*trail, str(word))
            if word in fields.AUTH:
                parts.append(self.text(f"auth.{word}", value, place, fields.AUTH[word], fact="auth"))
            else:
                self.read.unknown(place, "method", str(word), tuple(fields.AUTH))
                parts.append(None)
        return self.together(parts, trail)

    def _virus(self, data: object, trail: Trail) -> Condition | None:
        if not isinstance(data, dict):
            return self.infected("virus", data, trail)
        parts: list[Condition | None] = []
        for word, value in data.items():
            place = (*trail, str(word))
            if word == "found":
                parts.append(self.infected("virus.found", value, place))
            elif word == "name":
                parts.append(self.text("virus.name", value, place, _virus_names, fact="virus"))
            else:
                self.read.unknown(place, "part of virus", str(word), ("found", "name"))
                parts.append(None)
        return self.together(parts, trail)

    def infected(self, name: str, data: object, trail: Trail) -> Condition | None:
        wanted = self.read.truth(data, trail)
        if wanted is None:
            return None
        return _asks(name, data, _infected, _truth, Question(some=BoolTest(wanted)), fact="virus")

    def _script(self, data: object, trail: Trail) -> Condition | None:
        """What scripts answered: `script: {NAME: {key: value}}`."""
        if not isinstance(data, dict) or not all(isinstance(answer, dict) and answer for answer in data.values()):
            self.read.wrong(trail, "name the script and what it answered: `script: {ocr: {language: de}}`")
            return None
        parts = [
            self.answer(str(name), str(key), value, (*trail, str(name), str(key)))
            for name, answer in data.items()
            for key, value in answer.items()
        ]
        return self.together(parts, trail)

    def answer(self, name: str, key: str, data: object, trail: Trail) -> Condition | None:
        """One value of a script's answer, asked by what the operator compares it with."""
        field, fact = f"script.{name}.{key}", f"script.{name}"
        values = fields.script_value(name, key)
        if isinstance(data, bool):
            return _asks(field, data, _only(values, bool), _truth, Question(some=BoolTest(data)), fact=fact)
        if isinstance(data, int | float) or (isinstance(data, str) and data[:1] in "<>="):
            return self.compared(field, data, trail, _only(values, int, float), _number, self.numbers, fact=fact)

        def spelled(view: View) -> Sequence[Text] | None:
            found = values(view)
            return None if found is None else texts(value for value in found if isinstance(value, str))

        return self.text(field, data, trail, spelled, fact=fact)

    def together(self, parts: Sequence[Condition | None], trail: Trail) -> Condition | None:
        known = [part for part in parts if part is not None]
        if not parts:
            self.read.wrong(trail, "a value is missing here")
        if not known or len(known) < len(parts):
            return None
        return known[0] if len(known) == 1 else All(tuple(known))

    def numbers(self, data: object, trail: Trail) -> Test[float] | None:
        return self.read.tried(trail, lambda: NumberTest(parse_numbers(data)))

    def sizes(self, data: object, trail: Trail) -> Test[float] | None:
        return self.read.tried(trail, lambda: NumberTest(parse_sizes(data)))

    def instants(self, data: object, trail: Trail) -> Test[AnyValue] | None:
        return self.read.tried(trail, lambda: InstantTest(parse_instants(data)))


def _asks(
    name: str,
    data: object,
    values: Callable[[View], Sequence[V] | None],
    show: Callable[[V], str],
    question: Question[V],
    fact: str | None = None,
) -> Condition:
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


def _with_backslashes(data: object) -> object:
    match data:
        case str() if _SYSTEM_FLAG.match(data):
            return f"\\{data}"
        case list():
            return [_with_backslashes(one) for one in data]
        case dict():
            return {key: _with_backslashes(one) if key in ("matches", "every") else one for key, one in data.items()}
    return data


def _of_spec(test: Test[Text] | None) -> Test[fields.Mailbox] | None:
    return None if test is None else Of(lambda value: value.specs, test, whole=True)


def _only(
    values: Callable[[View], Sequence[AnyValue] | None], *kinds: type
) -> Callable[[View], Sequence[AnyValue] | None]:
    """Those of a script's values that are of a kind; JSON's true is no number."""

    def chosen(view: View) -> Sequence[AnyValue] | None:
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


def _infected(view: View) -> Sequence[bool] | None:
    virus = view.facts.virus
    return None if virus is None else (virus.found,)


def _virus_names(view: View) -> Sequence[Text] | None:
    virus = view.facts.virus
    return None if virus is None else texts(virus.names)


def _names(value: fields.Attachment) -> Sequence[Text]:
    return value.names


def _types(value: fields.Attachment) -> Sequence[Text]:
    return value.types


def _plain(value: Text) -> str:
    return value.plain


def _spec(value: fields.Mailbox) -> str:
    return value.specs[0].plain


def _attachment_name(value: fields.Attachment) -> str:
    return value.names[0].plain


def _number(value: float) -> str:
    return f"{value:.12g}"


def _truth(value: bool) -> str:
    return "true" if value else "false"
