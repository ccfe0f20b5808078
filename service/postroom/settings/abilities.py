"""What mailboxes can carry out, and steps that ask for more."""

from collections.abc import Callable, Iterable, Iterator

from postroom.errors import Located, Problem
from postroom.pipeline.step import Step
from postroom.pipeline.templates import FolderTemplate
from postroom.settings.document import Trail
from postroom.settings.flow import templates
from postroom.settings.mailboxes import Mailbox, recipients
from postroom.settings.model import Settings
from postroom.settings.pipelines import PipelineFile

Reached = Callable[[str | None], Iterable[PipelineFile]]
"""All files that a message of a pipeline may come through."""
_DOT = "a folder of a Maildir++ holds no dot: `/` stands between a folder and one within it, as in `{}`"
_STORE_WORDS = frozenset({"keep", "move", "copy", "flag", "unflag"})
# Nobody waits for an answer there: the sender's server has been told long ago that the message is accepted.
_ANSWERLESS = frozenset({"imap", "pop3", "maildir"})


def misplaced(settings: Settings, reached: Reached) -> Iterator[Located]:
    """Steps that the mailboxes through which they are reached cannot carry out."""
    for name, mailbox in settings.mailboxes.items():
        pipeline = settings.pipeline_of(name)
        refused = _refused(name, mailbox)
        for one in _narrow(mailbox, pipeline) if refused else ():
            for file, trail, step in _steps(reached(one)):
                if step.word in refused:
                    yield file.source.locate(Problem(trail, refused[step.word]))
        for one in dict.fromkeys(_filed(mailbox, pipeline)):
            for file, trail, step in _steps(reached(one)):
                for place, template in templates(step):
                    if isinstance(template, FolderTemplate) and "." in template.literal:
                        instead = template.literal.strip("./").replace(".", "/")
                        yield file.source.locate(Problem((*trail, *place), _DOT.format(instead)))


def _steps(files: Iterable[PipelineFile]) -> Iterator[tuple[PipelineFile, Trail, Step]]:
    return ((file, trail, step) for file in files for entry in file.entries for trail, step in entry.steps)


def _filed(mailbox: Mailbox, pipeline: str | None) -> Iterator[str | None]:
    """The pipelines whose messages end in a Maildir++."""
    own = recipients(mailbox)
    if mailbox.kind == "maildir" or (not own and any(mailbox.stores)):
        yield pipeline
    for one, store in zip(own, mailbox.stores, strict=True) if own else ():
        if store is not None:
            yield one.pipeline or pipeline


def _refused(name: str, mailbox: Mailbox) -> dict[str, str]:
    """By word, why a mailbox cannot do it."""
    told: dict[str, str] = {}
    if mailbox.kind in _ANSWERLESS:
        remedy = "use `quarantine`, `move` or `discard`"
        told["reject"] = f"`reject` has nobody to answer: the mailbox `{name}` holds mail that was accepted; {remedy}"
    if mailbox.kind == "pop3" and None in mailbox.stores:
        for word in _STORE_WORDS - {"keep"}:
            told[word] = (
                f"`{word}` needs a `store`: POP3 cannot do it on the server, and the mailbox `{name}` names none"
            )
    elif None in mailbox.stores:
        for word in _STORE_WORDS:
            told[word] = f"`{word}` needs a store, and the mailbox `{name}` has `store: none`"
    return told


def _narrow(mailbox: Mailbox, pipeline: str | None) -> list[str | None]:
    """The pipelines of a mailbox that cannot do all: of a listener those whose recipients have no store."""
    own = [one.pipeline for one in recipients(mailbox)]
    if not own:
        return [pipeline]
    return [one or pipeline for one, store in zip(own, mailbox.stores, strict=True) if store is None]
