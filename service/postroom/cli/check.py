"""`postroom check`: the configuration and every pipeline, looked at without touching the network unless asked to."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from postroom.cli.connecting import connected
from postroom.cli.options import Config, Json
from postroom.cli.output import mark, print_json
from postroom.cli.shapes import CheckShape, ConnectionShape, ProblemShape
from postroom.errors import Misconfigured
from postroom.settings.load import find
from postroom.settings.review import Review, review

CONFIGURATION = 78  # sysexits.h: EX_CONFIG


def check(
    config: Config = None,
    connect: Annotated[
        bool, typer.Option("--connect", help="Also try ledger, spool, queue and every mailbox; 1 where one fails.")
    ] = False,
    json: Json = False,
) -> None:
    """Check postroom.yaml and all pipelines: prints every problem with its place and ends with 78."""
    found = looked_at(config)
    tried = connected(config) if connect and not found.problems else []
    if json:
        shape = CheckShape(
            file=str(found.file),
            problems=tuple(map(ProblemShape.of, found.problems)),
            notes=tuple(map(ProblemShape.of, found.notes)),
            mailboxes=dict(found.mailboxes),
            pipelines=dict(found.pipelines),
            connections=tuple(ConnectionShape(name=one.name, works=one.works, text=one.text) for one in tried),
        )
        print_json(shape.model_dump(mode="json"))
    elif found.problems:
        for problem in found.problems:
            print(problem, file=sys.stderr)
        print(_count(len(found.problems), "problem"), file=sys.stderr)
    else:
        print(_summary(found))
        for note in found.notes:
            print(f"note: {note}")
        for one in tried:
            print(f"{mark(one.works)} {one.name}: {one.text}")
    if found.problems:
        sys.exit(CONFIGURATION)
    if not all(one.works for one in tried):
        sys.exit(1)


def looked_at(config: Path | None) -> Review:
    """The review of a file, or of the one that is found."""
    try:
        return review(config or find())
    except Misconfigured as error:
        return Review(file=Path("postroom.yaml"), problems=error.problems)


def _summary(found: Review) -> str:
    counted = {
        "mailbox": len(found.mailboxes),
        "pipeline": len(found.pipelines),
        "rule": sum(found.pipelines.values()),
    }
    lines = [f"{found.file} is good: " + ", ".join(_count(number, noun) for noun, number in counted.items())]
    lines += [f"  mailbox {name} goes through {pipeline}" for name, pipeline in found.mailboxes.items()]
    lines += [f"  pipeline {name}: {_count(rules, 'rule')}" for name, rules in found.pipelines.items()]
    return "\n".join(lines)


def _count(number: int, noun: str) -> str:
    plural = noun + ("es" if noun.endswith("x") else "s")
    return f"{number} {noun if number == 1 else plural}"
