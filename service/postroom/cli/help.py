"""What `--help` prints: commands by what they are for, arguments as one types them; plain text of any width."""

from collections.abc import Iterator
from typing import Any

from typer import BadParameter
from typer.core import TyperCommand, TyperGroup

SECTIONS = {
    "To begin": ("init", "check", "schema"),
    "Rules": ("explain", "test", "learn"),
    "The service": ("run", "watch", "work", "status", "backfill", "resume"),
    "Messages": ("messages", "show", "replay", "drop"),
    "Standard input": ("filter",),
}


class Command(TyperCommand):
    """One command. typer writes `{FILE}...` and `<list[Path]>` where it is not told otherwise."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """What is wrong is told in words for people."""
        try:
            return super().parse_args(ctx, args)
        except BadParameter as error:
            error.message = error.message.removeprefix("Value error, ")
            raise

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """What stands behind the command's name."""
        return ["[OPTIONS]", *(_typed(one) for one in self.get_params(ctx) if one.param_type_name == "argument")]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Arguments, then options."""
        found = {"argument": list[tuple[str, str]](), "option": list[tuple[str, str]]()}
        for one in self.get_params(ctx):
            row = (
                (_typed(one), getattr(one, "help", ""))
                if one.param_type_name == "argument"
                else one.get_help_record(ctx)
            )
            found[one.param_type_name] += [row] if row else []
        for title, rows in zip(("Arguments", "Options"), found.values(), strict=True):
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)


class Commands(TyperGroup):
    """All of them."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Options of the commands stand behind them."""
        if args and args[0].partition("=")[0] == "--config":
            ctx.fail("--config stands behind the command: postroom COMMAND --config FILE")
        return super().parse_args(ctx, args)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Each with its first sentence, below what it is for."""
        width = max(map(len, self.commands))
        for title, names in SECTIONS.items():
            with formatter.section(title):
                rows = [(name.ljust(width), _sentence(self.commands[name])) for name in names]
                formatter.write_dl(rows)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Options of the program itself come last: there are few."""
        self.format_commands(ctx, formatter)
        with formatter.section("Options"):
            formatter.write_dl([*_records(self, ctx)])


def _typed(argument: Any) -> str:
    """`FILE...`, `[PIPELINE]...`."""
    name = str(argument.metavar or argument.name.upper())
    return name if argument.required or name.startswith("[") else f"[{name}]"


def _sentence(command: Any) -> str:
    return " ".join((command.help or "").partition("\n\n")[0].partition(". ")[0].split()).rstrip(".")


def _records(command: Any, ctx: Any) -> Iterator[tuple[str, str]]:
    yield from (record for one in command.get_params(ctx) if (record := one.get_help_record(ctx)))
