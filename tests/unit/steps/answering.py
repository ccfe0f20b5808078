"""The step `reply` in tests: planned, performed, and what went out."""

from pathlib import Path
from typing import Any

from postroom import steps, testing
from postroom.message import Message, parse
from postroom.pipeline.outcome import Effect, Note, Outcome, Receipt
from postroom.pipeline.outgoing import Mail
from postroom.pipeline.tools import Tools
from postroom.steps.reply import ReplyEffect

OPTIONS = {"text": "I am away.", "server": "relay"}
NOW = testing.NOW


def tools(tmp_path: Path | None = None, **changes: Any) -> Tools:
    return testing.tools(tmp_path, **{"servers": {"relay": testing.Transport()}, **changes})


def planned(raw: bytes | None = None, context: Tools | None = None, /, *, view: Any = None, **options: Any) -> Outcome:
    step = steps.step("reply").model_validate({**OPTIONS, **options})
    [made] = step.plan(testing.view(raw, **(view or {})), context or tools())
    if isinstance(made, Effect):
        made = steps.effect(made.word).model_validate_json(made.model_dump_json())
    return made


def perform(made: Outcome, context: Tools, raw: bytes | None = None, **changes: Any) -> Receipt:
    assert isinstance(made, ReplyEffect), made
    return made.perform(testing.letter(raw, **changes), context)


def sent(context: Tools) -> list[Mail]:
    transport = context.servers["relay"]
    assert isinstance(transport, testing.Transport)
    return transport.sent


def answer(raw: bytes | None = None, context: Tools | None = None, **options: Any) -> Message:
    context = context or tools()
    perform(planned(raw, context, **options), context, raw)
    [mail] = sent(context)
    return parse(b"".join(mail.chunks))


def why(made: Outcome) -> str:
    assert isinstance(made, Note), made
    return made.text.removeprefix("not answered: ")
