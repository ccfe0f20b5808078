"""The step `publish`: a task for a Celery app of the operator's, with the message."""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Annotated, ClassVar, Final

from pydantic import AfterValidator, Field

from postroom.pipeline.outcome import Effect, Letter, Outcome, Receipt
from postroom.pipeline.step import Kind, Reference, Step
from postroom.pipeline.tools import Tools
from postroom.pipeline.view import View
from postroom.steps.payload import payload
from postroom.steps.program import TimeLimit
from postroom.steps.secret import secret
from postroom.transports import tasks

_NAME: Final = re.compile(r"[A-Za-z0-9_.:-]{1,200}")


def _name(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise ValueError("a name is letters, digits and `_.:-`")
    return text


class PublishEffect(Effect):
    """One task. Brokers take the same task twice, so it is recorded before it starts."""

    word: ClassVar[str] = "publish"
    repeatable: ClassVar[bool] = False

    task: str
    secret: str
    queue: str
    timeout: TimeLimit

    @property
    def target(self) -> str:
        return self.task

    def perform(self, letter: Letter, tools: Tools) -> Receipt:
        tasks.publish(
            tasks.Task(
                broker=secret(self.secret, tools),
                name=self.task,
                queue=self.queue,
                id=letter.key,
                argument=payload(letter, tools).model_dump(mode="json"),
                timeout=self.timeout,
            )
        )
        return Receipt(detail="published")


class PublishStep(Step):
    """Publishes a task, by its name, to the queue of a Celery app of yours; Postroom's own queue is another matter. The
    task gets one argument, [this mapping](json.md#payload): the message as edited so far, without the contents of
    attachments. The task's id is the same at a second try, which there is when the broker's answer is lost. The
    `secret` is the broker's URL: `redis://…`, `amqp://…` (its confirmation is waited for), whatever Celery knows. The
    message is kept unless a rule says otherwise.

        - publish: {task: crm.incoming_mail, secret: broker}
        - publish: {task: crm.incoming_mail, secret: broker, queue: mail}
    """

    word: ClassVar[str] = "publish"
    kind: ClassVar[Kind] = "act"

    task: Annotated[str, AfterValidator(_name)] = Field(description="The name under which the app knows it.")
    secret: str = Field(description="The name of a secret that holds the broker's URL.")
    queue: Annotated[str, AfterValidator(_name)] = Field(default=tasks.QUEUE, description="The app's queue.")
    timeout: TimeLimit = Field(
        default=timedelta(seconds=30), description="For all of it; else `defaults: {timeout: …}` where that is set."
    )

    def names(self) -> Iterator[Reference]:
        yield Reference("secret", self.secret)

    def plan(self, view: View, tools: Tools) -> Iterator[Outcome]:
        yield PublishEffect(task=self.task, secret=self.secret, queue=self.queue, timeout=self.timeout)
