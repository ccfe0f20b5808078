"""Options that are globs: of several any one."""

from collections.abc import Iterable
from typing import Annotated

from pydantic import AfterValidator

from postroom.model import OneOrMore
from postroom.pipeline.globs import Glob
from postroom.pipeline.text import folded


def _glob(text: str) -> str:
    Glob(text)
    return text


Globs = Annotated[tuple[Annotated[str, AfterValidator(_glob)], ...], OneOrMore]


def matches(globs: Iterable[Glob], text: str) -> bool:
    return any(glob.match(folded(text)) for glob in globs)
