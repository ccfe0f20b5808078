"""`postroom explain`: which rules a message meets and why, and what would be done. Nothing is."""

import sys
from collections.abc import Iterator
from dataclasses import replace
from json import dumps
from pathlib import Path
from typing import Annotated

import typer
from pydantic import JsonValue

from postroom.app import Forgetful, home, make_tools
from postroom.cli.options import Config, Json, mailboxes, pipelines
from postroom.cli.output import aligned, mark, print_json, print_lines
from postroom.cli.shapes import ExplanationShape
from postroom.errors import Misconfigured, Permanent
from postroom.message import Message, parse
from postroom.pipeline.condition import Why
from postroom.pipeline.planner import Explained
from postroom.pipeline.planner import explain as planned
from postroom.pipeline.view import Envelope, View
from postroom.settings import Settings, load, load_pipeline
from postroom.settings.load import Missing
from postroom.sources.stdin import return_path

STYLES = {True: "green", False: "dim", None: "yellow"}


def explain(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Messages; - is standard input.")],
    config: Config = None,
    pipeline: Annotated[
        str | None,
        typer.Option(
            metavar="PIPELINE", help="A name, or a path where it holds / or ends in .yaml.", autocompletion=pipelines
        ),
    ] = None,
    mailbox: Annotated[
        str | None,
        typer.Option(metavar="MAILBOX", help="As if it came from this mailbox.", autocompletion=mailboxes),
    ] = None,
    sender: Annotated[str | None, typer.Option(metavar="ADDRESS", help="The envelope's sender; '' is <>.")] = None,
    recipient: Annotated[
        list[str] | None, typer.Option(metavar="ADDRESS", help="Of the envelope; may be repeated.")
    ] = None,
    json: Json = False,
) -> None:
    """Show which rules a message meets and why, and what would be done. Nothing is done."""
    bench = Bench(config, pipeline, mailbox)
    found: list[JsonValue] = []
    for file in files:
        message = parse(read(file), limits=bench.tools.limits)
        envelope = Envelope(
            sender=sender if sender is not None else return_path(bytes(message.raw[:65536])),
            recipients=tuple(recipient or ()),
        )
        explained = bench.explain(message, envelope)
        if json:
            found.append(ExplanationShape.of(str(file), message, explained).model_dump(mode="json"))
        else:
            print_lines(lines(str(file), message, explained))
    if json:
        print_json(found)


def read(file: Path) -> bytes:
    if str(file) == "-":
        return sys.stdin.buffer.read()
    try:
        return file.read_bytes()
    except OSError as error:
        told = "is a directory; name the messages in it" if file.is_dir() else error.strerror
        raise Permanent(f"{file}: {told}") from error


def _settings(config: Path | None, pipeline: str | None) -> Settings | None:
    """Those of the file; a pipeline that is named by its path needs none. Raises Misconfigured."""
    try:
        return load(config)
    except Misconfigured as error:
        is_path = pipeline is not None and ("/" in pipeline or pipeline.endswith(".yaml"))
        if config is not None or not is_path or not isinstance(error.problems[0], Missing):
            raise
        return None


def _bare() -> Settings:
    """As for standard input."""
    text = '{"pipelines": ".", "mailboxes": {"stdin": {"url": "stdin:", "store": "mail", "pipeline": "none"}}}'
    return Settings.model_validate_json(text, context=Path.cwd(), by_alias=True, by_name=False)


class Bench:
    """Settings and rules, as they would be for a mailbox, without ledger and effects."""

    def __init__(self, config: Path | None, pipeline: str | None, mailbox: str | None) -> None:
        found = _settings(config, pipeline)
        self.settings = found or _bare()
        self.mailbox = mailbox or likely(self.settings)
        if self.mailbox not in self.settings.mailboxes:
            raise Permanent(f"no mailbox is called `{self.mailbox}`; there are: {', '.join(self.settings.mailboxes)}")
        named = pipeline or self.settings.pipeline_of(self.mailbox)
        assert named is not None, "the settings were checked"
        loaded = load_pipeline(named, found)
        self.name, self.pipelines = loaded.file.pipeline.name, loaded.pipelines
        self.tools = replace(
            make_tools(self.settings, self.settings.state_of(self.mailbox), Forgetful()), explains=True
        )

    def explain(self, message: Message, envelope: Envelope) -> Explained:
        now = self.tools.clock()
        mailbox = self.settings.mailboxes[self.mailbox]
        view = View(
            message=message,
            envelope=envelope,
            mailbox=self.mailbox,
            key="explain",
            home=home(mailbox, next((str(store) for store in mailbox.stores if store), None)),
            received=now,
            now=now,
        )
        return planned(self.pipelines, self.name, view, self.tools)


def likely(settings: Settings) -> str:
    """The mailbox that is meant where none is named: standard input's, else the only one. Raises Permanent."""
    known = [name for name, one in settings.mailboxes.items() if one.kind == "stdin"] or list(settings.mailboxes)
    if len(known) != 1:
        raise Permanent(f"say which mailbox with --mailbox; there are: {', '.join(known) or 'none'}")
    return known[0]


def lines(file: str, message: Message, explained: Explained) -> Iterator[tuple[str, str]]:
    """What is told and its style: rules with their conditions and reasons, then facts, then what would be done."""
    yield f"{file}: {message.size} octets, {message.subject or 'no subject'}", "bold"
    if message.defects:
        yield f"  odd: {', '.join(message.defects)}", ""
    for trace, why in explained.rules:
        yield f"  {mark(trace.held)} {trace.pipeline}: {trace.rule}", STYLES[trace.held]
        if why is not None:
            yield from ((f"      {line}", "dim" if trace.held is False else "") for line in aligned([*_reasons(why)]))
        yield from ((f"      note: {note}", "") for note in trace.notes)
    facts = explained.plan.facts.model_dump(mode="json", exclude_defaults=True)
    yield from ((line, "") for line in (["  facts:"] if facts else []) + [f"    {_fact(one)}" for one in facts.items()])
    yield "  would do:", "bold"
    yield from ((f"    {line}", "bold") for line in aligned([(str(one), one.rule) for one in explained.plan.lines]))


def _reasons(why: Why, indent: str = "") -> Iterator[tuple[str, str]]:
    """What was asked, and what it was compared with. That all of them have to hold goes without saying."""
    if why.asked == "all" and not indent:
        for part in why.parts:
            yield from _reasons(part)
        return
    yield f"{indent}{mark(why.held)} {why.asked}", why.compared
    for part in why.parts:
        yield from _reasons(part, indent + "  ")


def _fact(fact: tuple[str, JsonValue]) -> str:
    """`spam: score 14.2, verdict spam, symbols BAYES_99 URIBL_BLACK`."""
    name, value = fact
    return (
        f"{name}: {', '.join(f'{key} {_word(one)}' for key, one in value.items())}"
        if isinstance(value, dict)
        else f"{name}: {_word(value)}"
    )


def _word(value: JsonValue) -> str:
    if isinstance(value, list):
        return " ".join(map(_word, value))
    return value if isinstance(value, str) else dumps(value, ensure_ascii=False)
