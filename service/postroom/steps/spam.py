"""The step `spam`: here the scanner `headers`, which reads what an upstream filter wrote."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import ClassVar, Final, Literal, Self

from pydantic import Field, model_validator

from postroom.message import Header, SetHeader
from postroom.pipeline.outcome import Edited, Fact, Note, Outcome
from postroom.pipeline.step import Kind, Step
from postroom.pipeline.templates import HeaderTemplate
from postroom.pipeline.tools import Tools
from postroom.pipeline.view import Facts, Spam, View
from postroom.steps.subject import changed
from postroom.steps.trust import trusted, written

Verdict = Literal["spam", "ham", "unsure"]

_SYMBOLS: Final = 200
_FLOAT: Final = r"([-+]?\d{1,6}(?:\.\d{1,6})?)"
_STATUS_SCORE: Final = re.compile(rf"\b(?:score|hits)={_FLOAT}", re.IGNORECASE)
_STATUS_TESTS: Final = re.compile(r"\btests=(?:\[([^\]]*)\]|(\w+(?:\s?,\s?\w+)*))", re.IGNORECASE)
_NUMBER: Final = re.compile(rf"^{_FLOAT}(?![\w.])")
_STARS: Final = re.compile(r"^([*+]{1,100})$")
_LEVEL: Final = re.compile(r"^(-1|\d)$")
_WORD: Final = re.compile(r"\w{1,100}", re.ASCII)
_RSPAMD_SCORE: Final = re.compile(rf"\[\s*{_FLOAT}\s*/")
_RSPAMD_SYMBOL: Final = re.compile(r"\b([A-Z][A-Z0-9_]{1,63})\(")
_SCL: Final = re.compile(r"(?:^|;)\s*SCL:(-1|\d)\s*(?:;|$)", re.IGNORECASE)
_ACTIONS: Final[Mapping[str, Verdict]] = {
    "no action": "ham",
    "greylist": "unsure",
    "soft reject": "unsure",
    "add header": "spam",
    "rewrite subject": "spam",
    "quarantine": "spam",
    "reject": "spam",
}


class SpamStep(Step):
    """Asks how much a message looks like spam; the field `spam` asks for the score, or for `score`, `verdict` and
    `symbol`. The scanner `headers` believes what an upstream filter wrote (SpamAssassin's X-Spam-Status, X-Spam-Flag,
    X-Spam-Score and X-Spam-Level, Rspamd's X-Spamd-Result, X-Rspamd-Score and X-Rspamd-Action, Microsoft's
    X-MS-Exchange-Organization-SCL and X-Forefront-Antispam-Report), but only above the trust line: name your own
    hosts in the settings (`trust: hosts`). Where there is nothing to believe the answer is unknown.

    From the score `tag-at` on the message gets X-Spam-Flag, X-Spam-Score and X-Spam-Status of our own in place of
    those that it had, and `subject` where that is given.

        - spam: headers
        - spam: {scanner: headers, tag-at: 6, subject: "[SPAM] {{ subject }}"}
    """

    word: ClassVar[str] = "spam"
    kind: ClassVar[Kind] = "scan"
    main: ClassVar[str | None] = "scanner"

    scanner: Literal["headers"] = Field(default="headers", description="Whom to ask.")
    tag_at: float | None = Field(
        default=None, alias="tag-at", description="The score from which the message is marked."
    )
    subject: HeaderTemplate | None = Field(default=None, description="The subject of a message that is marked.")
    on_error: Literal["later", "pass"] = Field(
        default="later",
        alias="on-error",
        description="Where a scanner is away the message waits, or goes on; `headers` never is.",
    )

    @model_validator(mode="after")
    def _subject_needs_a_score(self) -> Self:
        if self.subject is not None and self.tag_at is None:
            raise ValueError("`subject` is set from a score on: give `tag-at` too")
        return self

    def plan(self, view: View, tools: Tools) -> Iterator[Outcome]:
        given = tools.given.spam if tools.given is not None else None
        spam = given or upstream(view.message.headers, tools.trust.hosts)
        if spam is None:
            yield Note("spam is unknown: no field above the trust line tells")
            return
        yield Fact(Facts(spam=spam))
        if self.tag_at is not None and spam.score is not None and spam.score >= self.tag_at:
            yield from self._edits(spam, spam.score, self.tag_at, view.learning(Facts(spam=spam)), tools)

    def gives(self) -> frozenset[str]:
        return frozenset({"spam"})

    def _edits(self, spam: Spam, score: float, most: float, view: View, tools: Tools) -> Iterator[Outcome]:
        tests = ",".join(symbol for symbol in spam.symbols if _WORD.fullmatch(symbol)) or "none"
        status = f"Yes, score={score:g} required={most:g} tests={tests}"
        for name, value in (
            ("X-Spam-Flag", "YES"),
            ("X-Spam-Score", f"{score:g}"),
            ("X-Spam-Status", status),
        ):
            yield Edited(SetHeader(name=name, value=value), f"{name}: {value}")
        if self.subject is not None:
            subject = changed(view.message.subject or "", self.subject.render(view, tools))
            if subject is not None:
                yield Edited(SetHeader(name="Subject", value=subject), f"Subject: {subject}")


def upstream(headers: Iterable[Header], hosts: Iterable[str]) -> Spam | None:
    """What trusted fields say, of several fields of a name the topmost; None where they say nothing."""
    fields: dict[str, str] = {}
    for header in trusted(headers, hosts):
        fields.setdefault(header.name.lower(), written(header))
    for read in (_spamassassin, _rspamd, _microsoft):
        spam = read(fields)
        if spam.score is not None or spam.verdict is not None:
            return spam
    return None


def _spamassassin(fields: Mapping[str, str]) -> Spam:
    status = fields.get("x-spam-status", "")
    score = _first(_STATUS_SCORE, status) or _first(_NUMBER, fields.get("x-spam-score", ""))
    stars = _first(_STARS, fields.get("x-spam-level", "")) or _first(_STARS, fields.get("x-spam-score", ""))
    tests = _first(_STATUS_TESTS, status)
    symbols = [test.partition("=")[0].strip() for test in tests.split(",")]
    return Spam(
        score=float(score) if score else float(len(stars)) if stars else None,
        verdict=_yes_or_no(status) or _yes_or_no(fields.get("x-spam-flag", "")),
        symbols=tuple(symbol for symbol in symbols if _WORD.fullmatch(symbol) and symbol != "none")[:_SYMBOLS],
    )


def _rspamd(fields: Mapping[str, str]) -> Spam:
    result = fields.get("x-spamd-result", "")
    score = _first(_RSPAMD_SCORE, result) or _first(_NUMBER, fields.get("x-rspamd-score", ""))
    action = fields.get("x-rspamd-action", "").lower()
    return Spam(
        score=float(score) if score else None,
        verdict=_ACTIONS.get(action) or _true_or_false(result),
        symbols=tuple(_RSPAMD_SYMBOL.findall(result)[:_SYMBOLS]),
    )


def _microsoft(fields: Mapping[str, str]) -> Spam:
    """The spam confidence level: -1 (not scanned, trusted) to 9; 5 and more is spam."""
    level = _first(_LEVEL, fields.get("x-ms-exchange-organization-scl", ""))
    level = level or _first(_SCL, fields.get("x-forefront-antispam-report", ""))
    return Spam(score=float(level), verdict="spam" if int(level) >= 5 else "ham") if level else Spam()


def _first(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.search(text)
    return next((group for group in found.groups() if group is not None), "") if found else ""


def _yes_or_no(text: str) -> Verdict | None:
    word = text.lstrip().partition(",")[0].partition(" ")[0].lower()
    return "spam" if word == "yes" else "ham" if word == "no" else None


def _true_or_false(text: str) -> Verdict | None:
    """Rspamd's X-Spamd-Result: `default: True [15.50 / 15.00]; …`."""
    word = text.partition(":")[2].partition("[")[0].strip().lower()
    return "spam" if word == "true" else "ham" if word == "false" else None
