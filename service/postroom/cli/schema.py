"""`postroom schema`: the JSON Schema that editors check and complete configuration files with."""

from enum import StrEnum
from typing import Annotated

import typer

from postroom.settings.schema import PIPELINE_FILE, SETTINGS_FILE, schemas


class Kind(StrEnum):
    SETTINGS = "settings"
    PIPELINE = "pipeline"


FILES = {Kind.SETTINGS: SETTINGS_FILE, Kind.PIPELINE: PIPELINE_FILE}


def schema(
    kind: Annotated[
        Kind, typer.Argument(metavar="[settings|pipeline]", help="Of postroom.yaml, or of pipeline files.")
    ] = Kind.SETTINGS,
) -> None:
    """Print the JSON Schema of postroom.yaml or of pipeline files."""
    print(schemas()[FILES[kind]], end="")
