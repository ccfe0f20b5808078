"""`postroom test`: the tests inside pipelines."""

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated

import typer

from postroom.cli.options import Config, Json
from postroom.cli.options import pipelines as known
from postroom.cli.output import print_json, print_lines
from postroom.cli.shapes import VerdictShape
from postroom.errors import Located, Misconfigured, Permanent
from postroom.settings import Loaded, load, load_pipeline
from postroom.trial import Verdict, run

COLOURS = {"ok": "green", "FAILED": "bold red", "-": "red", "+": "green", "!": "red", "?": "yellow"}


def test(
    pipelines: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[PIPELINE]...", help="Names, or paths; none: all of the settings.", autocompletion=known
        ),
    ] = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Run the tests inside pipelines. Ends with 1 where one fails."""
    verdicts = [*verdicts_of(chosen(pipelines or [], config))]
    if json:
        print_json([VerdictShape.of(verdict).model_dump(mode="json") for verdict in verdicts])
    else:
        print_lines((line, COLOURS.get(kind, "")) for line, kind in _lines(verdicts))
    if not all(verdict.passed for verdict in verdicts):
        sys.exit(1)


def chosen(named: Sequence[str], config: Path | None) -> list[Loaded]:
    """The pipelines that were named, or all. Paths need no settings. Raises Misconfigured with all that is wrong."""
    if named and all("/" in one or one.endswith(".yaml") for one in named) and config is None:
        settings = None
    else:
        settings = load(config)
    names = named or (sorted(path.stem for path in settings.pipelines.glob("*.yaml")) if settings else [])
    if not names:
        raise Permanent(f"there is no pipeline that can be read in {settings.pipelines if settings else '.'}")
    loaded: list[Loaded] = []
    wrong: dict[Located, None] = {}  # pipelines that run the same one find the same problems
    for one in names:
        try:
            loaded.append(load_pipeline(one, settings))
        except Misconfigured as error:
            wrong |= dict.fromkeys(error.problems)
    if wrong:
        raise Misconfigured([*wrong])
    return loaded


def verdicts_of(pipelines: Iterable[Loaded]) -> list[Verdict]:
    """How all tests went. Raises Misconfigured with all that is written wrongly in any of them."""
    verdicts: list[Verdict] = []
    wrong: list[Located] = []
    for loaded in pipelines:
        try:
            verdicts += run(loaded)
        except Misconfigured as error:
            wrong += error.problems
    if wrong:
        raise Misconfigured(wrong)
    return verdicts


def _lines(verdicts: Sequence[Verdict]) -> Iterable[tuple[str, str]]:
    """Each line and what its colour goes by."""
    for verdict in verdicts:
        mark = "ok" if verdict.passed else "FAILED"
        yield f"{mark:6}  {verdict.pipeline} {verdict.number}: {verdict.name}", mark
        for line in verdict.diff:
            yield f"          {line}", line[0]
    failed = sum(not verdict.passed for verdict in verdicts)
    told = f"{len(verdicts)} test{'' if len(verdicts) == 1 else 's'}, {failed} failed"
    yield told, "FAILED" if failed else "ok"
