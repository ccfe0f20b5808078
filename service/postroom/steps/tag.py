"""The step `tag`."""

from collections.abc import Iterator
from typing import Annotated, ClassVar

from pydantic import Field

from postroom.model import OneOrMore
from postroom.pipeline.outcome import Fact, Outcome
from postroom.pipeline.step import Kind, Step
from postroom.pipeline.tools import Tools
from postroom.pipeline.view import Facts, View

Tag = Annotated[str, Field(min_length=1, max_length=100)]


class TagStep(Step):
    """Puts tags on the message that later rules ask for with the field `tag`. Tags stay in Postroom: to mark the
    message in its mailbox use `flag`, to mark the message itself use `header`.

        - tag: urgent
        - tag: [customer, urgent]
    """

    word: ClassVar[str] = "tag"
    kind: ClassVar[Kind] = "scan"
    main: ClassVar[str | None] = "tags"

    tags: Annotated[tuple[Tag, ...], OneOrMore] = Field(min_length=1, description="The tags.")

    def plan(self, view: View, tools: Tools) -> Iterator[Outcome]:
        yield Fact(Facts(tags=frozenset(self.tags)))

    def gives(self) -> frozenset[str]:
        return frozenset({"tag"})
