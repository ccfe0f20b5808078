"""The `postroom` command: one file per command, registered in one place."""

import sys
from io import TextIOWrapper
from typing import Annotated

import typer

from postroom import __version__
from postroom.cli.backfill import backfill
from postroom.cli.check import check
from postroom.cli.explain import explain
from postroom.cli.help import Command, Commands
from postroom.cli.init import init
from postroom.cli.learn import learn
from postroom.cli.messages import drop, messages, replay, show
from postroom.cli.resume import resume
from postroom.cli.run import run, watch, work
from postroom.cli.schema import schema
from postroom.cli.status import status
from postroom.cli.test import test
from postroom.errors import Misconfigured, Permanent, Temporary, cause

app = typer.Typer(
    name="postroom", cls=Commands, no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False
)
COMMANDS = (
    init,
    check,
    schema,
    explain,
    test,
    run,
    watch,
    work,
    status,
    backfill,
    resume,
    learn,
    messages,
    show,
    replay,
    drop,
)
for command in COMMANDS:
    app.command(cls=Command)(command)


def tell_version(asked: bool) -> None:
    if asked:
        print(f"postroom {__version__}")
        raise typer.Exit


@app.callback()
def postroom(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=tell_version, help="Show the version and exit.")
    ] = False,
) -> None:
    """Mail processing by rules that people write in YAML.

    `postroom COMMAND --help` tells more of each.
    """


@app.command(
    cls=Command, add_help_option=False, context_settings={"ignore_unknown_options": True, "allow_extra_args": True}
)
def filter(context: typer.Context) -> None:  # noqa: A001 - the command's name
    """Take one message from standard input; ends with 0, 75 or 77."""
    from postroom.cli.guard import guarded

    guarded(context.args)


def main() -> None:
    """Run a command; what an operator can mend is one line and no traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # a message may hold what the terminal's encoding lacks
    try:
        app()
    except Misconfigured as error:
        print(error, file=sys.stderr)
        sys.exit(78)
    except Temporary as error:
        print(f"postroom: {error}", file=sys.stderr)
        sys.exit(75)
    except OSError as error:  # a file or a disk of which no command knew that it would fail
        where = f"{error.filename}: " if error.filename else ""
        print(f"postroom: {where}{cause(error)}", file=sys.stderr)
        sys.exit(75)
    except Permanent as error:
        print(f"postroom: {error}", file=sys.stderr)
        sys.exit(1)
