"""`postroom test`: the tests inside pipelines."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from pydantic import JsonValue

from postroom.cli.output import print_json
from postroom.settings import Loaded, load, load_pipeline
from postroom.trial import Outcome, run


def test(
    pipelines: Annotated[
        list[str] | None, typer.Argument(metavar="[PIPELINE]...", help="Names, or paths; none: all of the settings.")
    ] = None,
    config: Annotated[Path | None, typer.Option(help="Settings; else $POSTROOM_CONFIG, ./postroom.yaml …")] = None,
    json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Run the tests inside pipelines. Ends with 1 where one fails."""
    outcomes = [outcome for loaded in chosen(pipelines or [], config) for outcome in run(loaded)]
    if json:
        print_json([_described(outcome) for outcome in outcomes])
    else:
        _print(outcomes)
    if not all(outcome.passed for outcome in outcomes):
        sys.exit(1)


def chosen(named: Sequence[str], config: Path | None) -> list[Loaded]:
    """The pipelines that were named, or all. Paths need no settings."""
    if named and all("/" in one or one.endswith(".yaml") for one in named) and config is None:
        return [load_pipeline(one) for one in named]
    settings = load(config)
    names = named or [str(path) for path in sorted(settings.pipelines.glob("*.yaml"))]
    return [load_pipeline(one, settings) for one in names]


def _print(outcomes: Sequence[Outcome]) -> None:
    for outcome in outcomes:
        mark = "ok" if outcome.passed else "FAILED"
        print(f"{mark:6}  {outcome.pipeline} {outcome.number}: {outcome.name}")
        for line in outcome.diff:
            print(f"          {line}")
    failed = sum(not outcome.passed for outcome in outcomes)
    print(f"{len(outcomes)} tests, {failed} failed")


def _described(outcome: Outcome) -> JsonValue:
    return {
        "pipeline": outcome.pipeline,
        "number": outcome.number,
        "name": outcome.name,
        "passed": outcome.passed,
        "diff": [*outcome.diff],
    }
