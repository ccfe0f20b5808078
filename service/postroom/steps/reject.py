"""The step `reject`: refuse the message while its sender's server still listens."""

from collections.abc import Iterator
from typing import ClassVar

from pydantic import Field

from postroom.errors import Permanent
from postroom.pipeline.outcome import Effect, Letter, Outcome, Receipt
from postroom.pipeline.step import Kind, Reference, Step
from postroom.pipeline.templates import HeaderTemplate
from postroom.pipeline.tools import Tools
from postroom.pipeline.view import View


class RejectEffect(Effect):
    """The answer that the source gives (RFC 5429, RFC 3463)."""

    word: ClassVar[str] = "reject"

    code: str
    text: str
    reports: str = ""  # the server for a report to the sender

    @property
    def target(self) -> str:
        return f"{self.code} {self.text}".rstrip()

    @property
    def delivers(self) -> bool:
        return True

    def perform(self, letter: Letter, tools: Tools) -> Receipt:
        if not tools.answers:
            raise Permanent("nobody can be told that it is rejected: its sender's server heard that it was taken")
        return Receipt(detail="rejected", reply=self.target)


class RejectStep(Step):
    """Refuses the message: `postroom filter` ends with 77 and says the code and the text, on which a mail
    server tells the sender; a listener with `answer: after-plan` answers 550 with them. The message is not kept. Where
    the sender's server has been told already that the message is taken, rejecting it fails for good, and the message is
    kept. Where nothing can be kept either (a listener with `store: none`), its sender gets a report (RFC 3464), if its
    domain stands for it: by a signature (DKIM), by the client's address (SPF), or by what hosts of yours found
    (`trust`). Nobody is told who is `<>`, a list or a program. Where the report fails for good, too, `postroom messages
    --dead` says that the sender does not know; `postroom replay` tries the message once more, and reports anew where it
    fails again.

        - reject: we do not take mail from you
        - reject: {text: no such project, code: 5.1.1}
    """

    word: ClassVar[str] = "reject"
    kind: ClassVar[Kind] = "act"
    main: ClassVar[str | None] = "text"

    text: HeaderTemplate = Field(description="What the sender is told, in ASCII; 400 characters at most.")
    code: str = Field(
        default="5.7.1", pattern=r"^5\.[0-9]{1,3}\.[0-9]{1,3}$", description="Enhanced status code (RFC 3463)."
    )

    reports: str = Field(
        default="", description="One of `servers`, for a report to the sender; default: `defaults.server`, if any."
    )

    def names(self) -> Iterator[Reference]:
        if self.reports:
            yield Reference("server", self.reports)

    def plan(self, view: View, tools: Tools) -> Iterator[Outcome]:
        text = self.text.render(view, tools).encode("ascii", "replace").decode("ascii")
        yield RejectEffect(code=self.code, text=text[:400], reports=self.reports)
