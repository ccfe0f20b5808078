"""The `postroom` command: one file per command, registered in one place."""

import sys

import typer

from postroom.cli.backfill import backfill
from postroom.cli.check import check
from postroom.cli.explain import explain
from postroom.cli.init import init
from postroom.cli.learn import learn
from postroom.cli.messages import drop, messages, replay, show
from postroom.cli.resume import resume
from postroom.cli.run import run, watch, work
from postroom.cli.schema import schema
from postroom.cli.status import status
from postroom.cli.test import test
from postroom.errors import Misconfigured, Permanent, Temporary

app = typer.Typer(
    name="postroom", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__
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
    app.command()(command)


@app.command(add_help_option=False, context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
def filter(context: typer.Context) -> None:  # noqa: A001 - the command's name
    """Take one message from standard input; ends with 0, 75 or 77."""
    from postroom.cli.guard import guarded

    guarded(context.args)


def main() -> None:
    """Run a command; what an operator can mend is one line and no traceback."""
    try:
        app()
    except Misconfigured as error:
        print(error, file=sys.stderr)
        sys.exit(78)
    except Temporary as error:
        print(f"postroom: {error}", file=sys.stderr)
        sys.exit(75)
    except Permanent as error:
        print(f"postroom: {error}", file=sys.stderr)
        sys.exit(1)
