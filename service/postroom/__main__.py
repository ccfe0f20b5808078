"""Start of the `postroom` command; `filter` goes its own short way, inside a guard that nothing leaves."""

import sys


def main() -> None:
    """Run a command."""
    if sys.argv[1:2] == ["filter"]:
        from postroom.cli.guard import guarded

        guarded(sys.argv[2:])
    from postroom.cli.main import main as run_command

    run_command()


if __name__ == "__main__":
    main()
