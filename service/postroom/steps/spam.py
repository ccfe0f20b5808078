"""The step `spam`: asks a scanner, and marks what it takes for spam."""

import re
from collections.abc import Iterable, Iterator
from typing import ClassVar, Final, Literal, Self

from pydantic import Field, model_validator

from postroom.errors import Temporary
from postroom.message import SetHeader
from postroom.pipeline.outcome import Edited, Fact, Note, Outcome
from postroom.pipeline.step import Kind, Step
from postroom.pipeline.templates import HeaderTemplate
from postroom.pipeline.tools import Tools
from postroom.pipeline.view import Facts, Spam, View
from postroom.steps.origin import written_on_top
from postroom.steps.scanning import asking
from postroom.steps.subject import changed
from postroom.steps.upstream import ACTIONS, upstream

_WORD: Final = re.compile(r"[\w.:-]{1,100}", re.ASCII)
_NAMED: Final = 30  # tests in X-Spam-Status
_LONGEST: Final = 800  # characters of them: a longer word could only stand there encoded
_STARS: Final = 50  # as SpamAssassin's


class SpamStep(Step):
    """Asks how much a message looks like spam; the field `spam` asks for the score, or for `score`, `verdict` and
    `symbol`.

    `headers` believes what an upstream filter wrote (SpamAssassin's X-Spam-Status, X-Spam-Flag, X-Spam-Score and
    X-Spam-Level, Rspamd's X-Spamd-Result, X-Rspamd-Score and X-Rspamd-Action, Microsoft's
    X-MS-Exchange-Organization-SCL and X-Forefront-Antispam-Report), but only above the trust line: name your own hosts
    in the settings (`trust: hosts`). Where there is nothing to believe the answer is unknown.

    `bayes` knows what it was taught, needs no server, and tells its strongest words in `explain`. Its score goes from
    -10 to 10; from 5 on it is spam, from 2 on it is unsure. Until it has learned 20 messages of either kind it says
    so: the symbol BAYES_UNTRAINED, the verdict `unsure` and no score.

    `rspamd` and `spamd` (SpamAssassin) ask the server that the settings name (`scanners`).

    Where a scanner is away, answers rubbish or not in time, the message waits (`on-error: later`) or goes on with the
    answer unknown (`pass`). One that is larger than the settings allow a server to be asked goes on, too.

    From the score `tag-at` on the message gets X-Spam-Flag, X-Spam-Score, X-Spam-Level (a star for each point) and
    X-Spam-Status of our own in place of those that it had, and `subject` where that is given. Below it, what a stranger
    wrote into such fields stays as it came: `header: {remove: "X-Spam-*"}` after the scanner takes it away.

        - spam: headers
        - spam: {scanner: headers, tag-at: 6, subject: "[SPAM] {{ subject }}"}
        - spam: {scanner: bayes, tag-at: 5}
        - spam: {scanner: rspamd, on-error: pass}
    """

    word: ClassVar[str] = "spam"
    kind: ClassVar[Kind] = "scan"
    main: ClassVar[str | None] = "scanner"

    scanner: Literal["headers", "bayes", "rspamd", "spamd"] = Field(default="headers", description="Whom to ask.")
    learned: Literal["site", "mailbox"] = Field(
        default="site", description="What `bayes` knows: what was learned for all, or for the message's mailbox."
    )
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
    def _options_that_go_together(self) -> Self:
        if self.subject is not None and self.tag_at is None:
            raise ValueError("`subject` is set from a score on: give `tag-at` too")
        if self.learned != "site" and self.scanner != "bayes":
            raise ValueError("`learned` is an option of the scanner `bayes`")
        return self

    def plan(self, view: View, tools: Tools) -> Iterator[Outcome]:
        spam = tools.given.spam if tools.given is not None else None
        if spam is None:
            try:
                spam, note = self._ask(view, tools)
            except Temporary as error:
                if self.on_error == "later":
                    raise
                note = f"spam is unknown: {error}"
            if note:
                yield Note(note)
        if spam is None:
            return
        yield Fact(Facts(spam=spam))
        if self.tag_at is not None and spam.score is not None and spam.score >= self.tag_at:
            yield from self._edits(spam, spam.score, self.tag_at, view.learning(Facts(spam=spam)), tools)

    def gives(self) -> frozenset[str]:
        return frozenset({"spam"})

    def _ask(self, view: View, tools: Tools) -> tuple[Spam | None, str]:
        """What the scanner says, and a remark. Raises Temporary."""
        match self.scanner:
            case "headers":
                spam = upstream(written_on_top(view.message, view.prefix, tools.trust))
                return spam, "" if spam else "spam is unknown: no field above the trust line tells"
            case "bayes":
                with asking("bayes", tools):
                    return self._learned(view, tools)
            case "rspamd" | "spamd" if tools.given is not None:
                return None, "spam is unknown: a test asks no scanner"
            case "rspamd":
                with asking("rspamd", tools):
                    return _rspamd(view, tools)
            case "spamd":
                with asking("spamd", tools):
                    return _spamd(view, tools)

    def _learned(self, view: View, tools: Tools) -> tuple[Spam | None, str]:
        from postroom.bayes.filter import Filter

        directory = None
        if tools.bayes is not None:
            directory = tools.bayes / ("site" if self.learned == "site" else f"mailboxes/{view.mailbox}")
        if directory is None or tools.given is not None:
            return Spam(verdict="unsure", symbols=("BAYES_UNTRAINED",)), "bayes has learned nothing"
        opened = tools.shelf.setdefault(str(directory), Filter(directory))
        assert isinstance(opened, Filter)
        opinion = opened.classify(view.message)
        spam = Spam(score=opinion.score, verdict=opinion.verdict, symbols=opinion.symbols)
        if opinion.score is None:
            return spam, f"bayes is untrained: it learned {opinion.spam} messages as spam and {opinion.ham} as ham"
        return spam, f"bayes goes by {opinion.told}" if tools.explains else ""

    def _edits(self, spam: Spam, score: float, most: float, view: View, tools: Tools) -> Iterator[Outcome]:
        status = f"Yes, score={score:g} required={most:g} tests={_tests(spam.symbols)}"
        for name, value in (
            ("X-Spam-Flag", "YES"),
            ("X-Spam-Score", f"{score:g}"),
            ("X-Spam-Level", "*" * min(_STARS, int(score)) or "-"),
            ("X-Spam-Status", status),
        ):
            yield Edited(SetHeader(name=name, value=value), f"{name}: {value}")
        if self.subject is not None:
            subject = changed(view.message.subject or "", self.subject.render(view, tools))
            if subject is not None:
                yield Edited(SetHeader(name="Subject", value=subject), f"Subject: {subject}")


def _tests(symbols: Iterable[str]) -> str:
    """As X-Spam-Status names them."""
    named = ""
    for symbol in [symbol for symbol in symbols if _WORD.fullmatch(symbol)][:_NAMED]:
        if len(named) + len(symbol) < _LONGEST:
            named += f",{symbol}"
    return named[1:] or "none"


def _rspamd(view: View, tools: Tools) -> tuple[Spam | None, str]:
    from postroom.transports import rspamd

    if view.message.size > tools.scanners.rspamd.largest:
        return None, "rspamd is not asked: the message is larger than `scanners: {rspamd: {largest: …}}`"
    told = rspamd.ask(tools.scanners.rspamd, view)
    return Spam(score=told.score, verdict=ACTIONS.get(told.action), symbols=told.symbols), ""


def _spamd(view: View, tools: Tools) -> tuple[Spam | None, str]:
    from postroom.transports import spamd

    if view.message.size > tools.scanners.spamd.largest:
        return None, "spamd is not asked: the message is larger than `scanners: {spamd: {largest: …}}`"
    return spamd.ask(tools.scanners.spamd, view), ""
