"""`postroom init`: the shipped configuration and pipelines as the operator's own files."""

import os
import sys
from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated

import typer

FOLDERS = ("config", "pipelines")
USAGE = 2


def init(directory: Annotated[Path, typer.Argument(metavar="DIR", help="Made where it is missing.")]) -> None:
    """Copy the shipped configuration and pipelines into a directory. Overwrites nothing."""
    wanted = dict(shipped_files())
    if there := [name for name in wanted if os.path.lexists(directory / name)]:
        print(f"nothing was copied: {directory / there[0]} is there already; name another directory", file=sys.stderr)
        sys.exit(USAGE)
    try:
        copy(wanted, directory)
    except OSError as error:
        where = error.filename or directory
        print(f"{where}: {error.strerror}: name a directory that you may write into", file=sys.stderr)
        sys.exit(USAGE)
    config = directory / "config/postroom.yaml"
    print(f"{config} and {directory / 'pipelines'} are yours now. Look them over, then try")
    print(f"  postroom check --config {config}")
    print(f"  postroom run --config {config}")
    print(f"  postroom filter --config {config} < message.eml")


def copy(wanted: dict[str, Traversable], directory: Path) -> None:
    """Write the files; the settings only for their owner, as a password may come to stand there."""
    for name, source in wanted.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        mode = 0o600 if path.name == "postroom.yaml" else 0o644
        # O_EXCL: what somebody made in the meantime is not overwritten.
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as target:
            target.write(source.read_bytes())
    (directory / "var").mkdir(mode=0o700, exist_ok=True)


def shipped_files() -> Iterator[tuple[str, Traversable]]:
    """Path and contents of all that is shipped: in a wheel below postroom/shipped, else the checkout's."""
    package = files("postroom")
    inside = package / "shipped"
    root: Traversable = inside if inside.is_dir() else Path(str(package)).parents[1]
    for folder in FOLDERS:
        yield from _below(root / folder, folder)


def _below(source: Traversable, name: str) -> Iterator[tuple[str, Traversable]]:
    for one in sorted(source.iterdir(), key=lambda found: found.name):
        if one.name.startswith("."):
            continue
        if one.is_dir():
            yield from _below(one, f"{name}/{one.name}")
        else:
            yield f"{name}/{one.name}", one
