"""The step `notify`: a short text to people, by any of the services that the Apprise library knows."""

from collections.abc import Iterator
from datetime import timedelta
from importlib.util import find_spec
from typing import ClassVar, Final, Self

from pydantic import Field, model_validator

from postroom.errors import Temporary, Uncertain
from postroom.pipeline.outcome import Effect, Letter, Outcome, Receipt
from postroom.pipeline.step import Kind, Reference, Step
from postroom.pipeline.templates import HeaderTemplate, TextTemplate
from postroom.pipeline.tools import Tools
from postroom.pipeline.view import View
from postroom.steps.program import TimeLimit
from postroom.steps.secret import secret
from postroom.transports.bounded import within

MISSING: Final = "needs the package `apprise`: install Postroom as `postroom[notify]`"
TITLE: Final = 250  # characters; services cut longer ones or refuse them
BODY: Final = 10_000


class NotifyEffect(Effect):
    """One notification. No service tells a second try from the first, so it is recorded before it starts."""

    word: ClassVar[str] = "notify"
    repeatable: ClassVar[bool] = False

    secret: str
    title: str
    body: str
    timeout: TimeLimit

    @property
    def target(self) -> str:
        return self.secret

    def perform(self, letter: Letter, tools: Tools) -> Receipt:
        url = secret(self.secret, tools)
        try:
            taken = within(self.timeout.total_seconds(), lambda: _notify(url, self.title, self.body))
        except TimeoutError:
            raise Uncertain("the service took too long to answer") from None
        except ImportError:
            raise Temporary(f"`notify` {MISSING}") from None
        if taken is None:
            raise Temporary(f"the secret `{self.secret}` is not one URL that Apprise can read")
        if not taken:
            raise Temporary("the service did not take the notification")
        return Receipt(detail="notified")


class NotifyStep(Step):
    """Tells people, by one of the services of [Apprise](https://github.com/caronc/apprise): chats, telephones, pagers.
    The `secret` is its URL there. Text goes out as text: what a message holds is no markup. A notification that was not
    taken is tried again later; where the answer is lost it may come twice. Needs `postroom[notify]`. The message is
    kept unless a rule says otherwise.

        - notify: {secret: bot, title: "{{ subject }}", body: "{{ from.name }} wrote to {{ recipient }}"}
    """

    word: ClassVar[str] = "notify"
    kind: ClassVar[Kind] = "act"

    secret: str = Field(description="The name of a secret that holds one Apprise URL.")
    title: HeaderTemplate = Field(default=HeaderTemplate(""), description="One line; not every service shows it.")
    body: TextTemplate = Field(
        default=TextTemplate("{{ from }}: {{ subject }}"), description="The text; 10,000 characters at most."
    )
    timeout: TimeLimit = Field(
        default=timedelta(seconds=30), description="For all of it; else `defaults: {timeout: …}` where that is set."
    )

    @model_validator(mode="after")
    def _installed(self) -> Self:
        if find_spec("apprise") is None:
            raise ValueError(MISSING)
        return self

    def names(self) -> Iterator[Reference]:
        yield Reference("secret", self.secret)

    def plan(self, view: View, tools: Tools) -> Iterator[Outcome]:
        title, body = self.title.render(view, tools), self.body.render(view, tools)
        # No service takes an empty text.
        yield NotifyEffect(
            secret=self.secret,
            title=title[:TITLE],
            body=body[:BODY] if body.strip() else "(no text)",
            timeout=self.timeout,
        )


def _notify(url: str, title: str, body: str) -> bool | None:
    """Whether the service took it; None where the URL is none, or several: those could not be told apart later."""
    import logging

    import apprise

    # Its words quote URLs with their tokens, and answers.
    logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
    service = apprise.Apprise()
    if not service.add(url) or len(service) != 1:
        return None
    return bool(service.notify(body=body, title=title, body_format=apprise.NotifyFormat.TEXT))
