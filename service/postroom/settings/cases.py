"""The tests inside pipeline files, as operators write them: a message, what scanners are to say of it, what is to be
done."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Self

from pydantic import BeforeValidator, ConfigDict, Field, ValidationError, WithJsonSchema, model_validator

from postroom import testing
from postroom.errors import Located, Permanent, Problem
from postroom.model import Model, OneOrMore
from postroom.pipeline.view import Facts
from postroom.settings.pipelines import PipelineFile
from postroom.settings.sentences import problems
from postroom.suggestions import suggestion
from postroom.units import Size

NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)


def _instant(value: object) -> object:
    """A day or a time as text; a day means its start, without a zone it is UTC."""
    if not isinstance(value, str):
        return value
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        raise ValueError("a day or a time is expected here: 2026-03-01, 2026-03-01T09:30") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


Several = Annotated[tuple[str, ...], OneOrMore]
Instant = Annotated[datetime, BeforeValidator(_instant), WithJsonSchema({"type": "string"})]


class AttachmentText(Model):
    """An attachment of a short message; one without contents is made, of the type's first octets and of this size."""

    name: str = Field(description="Its file name.")
    type: str = Field(default="", description="Its MIME type; default: what the name's ending says.")
    content: str | None = Field(default=None, description="Its text.")
    size: Size | None = Field(default=None, description="How large to make it where there is no text.")


class ShortMessage(Model):
    """A message in a few words: from Ann to Bob, subject and text `Hello`, where nothing else is said. A field under
    `headers` takes the place of one that would be made."""

    model_config = ConfigDict(title="Message of a test")

    from_: Several = Field(default=("ann@example.org",), alias="from", description="From: one address or several.")
    to: Several = Field(default=("bob@example.com",), description="To: one address or several.")
    cc: Several = Field(default=(), description="Cc: one address or several.")
    subject: str | None = Field(default="Hello", description="Its subject; `null`: none.")
    text: str | None = Field(default="Hello.\n", description="Its text; `null`: none.")
    html: str | None = Field(default=None, description="The same as HTML.")
    headers: Mapping[str, Several] = Field(default={}, description="Further fields, by name.")
    attachments: tuple[str | AttachmentText, ...] = Field(
        default=(), description="File names, or mappings with `name`, `type`, `content` and `size`."
    )
    date: Instant | None = Field(default=None, description="Its Date field; default: `now` of the test.")
    sender: str | None = Field(default=None, description='The envelope\'s sender; "" is the null reverse-path.')
    recipient: Several = Field(default=(), description="The envelope's recipients.")
    mailbox: str = Field(default="test", description="The mailbox that it came to.")
    folder: str = Field(default="", description="The folder that it lies in.")
    flags: Several = Field(default=(), description="The flags that it has.")

    def raw(self, now: datetime) -> bytes:
        """RFC 5322."""
        attachments = [
            each
            if isinstance(each, str)
            else testing.Attachment(each.name, each.type, _octets(each.content), each.size)
            for each in self.attachments
        ]
        return testing.message(
            from_=self.from_ or None,
            to=self.to or None,
            cc=self.cc or None,
            subject=self.subject,
            text=self.text,
            html=self.html,
            headers=self.headers,
            attachments=attachments,
            date=self.date or now,
        )


# What may stand beside `file`: how a message arrived does not show in its bytes.
_ARRIVAL = frozenset({"sender", "recipient", "mailbox", "folder", "flags"})


class Case(Model):
    """One test: a message, and what the pipeline is to do with it. No scanner that leaves the process runs."""

    name: str = Field(default="", description="What it shows; default: the message's file or subject.")
    message: ShortMessage = Field(default=ShortMessage(), description="A message in a few words.")
    file: str | None = Field(default=None, description="A whole message in a file beside the pipeline, instead.")
    facts: Facts = Field(default=Facts(), description="What scanners say; known from the start.")
    now: Instant = Field(default=NOW, description="The time of its arrival; a day means its start, in UTC.")
    expect: Several = Field(
        default=(),
        description="Edits and effects in order, each its word, or word and target as `explain` prints them; an "
        "implicit `keep` may be left out. Has to be there.",
    )

    @model_validator(mode="after")
    def _expecting(self) -> Self:
        if "expect" not in self.model_fields_set:
            raise ValueError("a test says what it expects: `expect: [move Junk]`, or `expect: []` for nothing")
        if self.file is not None and (made := sorted(self.message.model_fields_set - _ARRIVAL)):
            raise ValueError(f"the message is in `file`: leave out `{made[0].rstrip('_')}`")
        return self

    def raw(self, directory: Path) -> bytes:
        """The message; its file lies in `directory`. Raises Permanent where that cannot be read."""
        if self.file is None:
            return self.message.raw(self.now)
        try:
            return (directory / self.file).read_bytes()
        except OSError as error:
            raise Permanent(f"`{self.file}` cannot be read: {error.strerror}") from None


def read(file: PipelineFile) -> tuple[list[Case], list[Located]]:
    """The tests of a file, and everything that is wrong with them."""
    cases: list[Case] = []
    wrong: list[Problem] = []
    for number, data in file.tests:
        try:
            case = Case.model_validate(data, by_alias=True, by_name=False)
        except ValidationError as error:
            found = problems(error, dict(data), Case)
            wrong += (Problem(("tests", number, *one.path), one.text, one.key) for one in found)
        else:
            cases.append(case)
            if case.file is not None and (told := _unreadable(file.path.parent, case.file)):
                wrong.append(Problem(("tests", number, "file"), told))
    return cases, [file.source.locate(one) for one in wrong]


def _unreadable(directory: Path, name: str) -> str:
    path = directory / name
    try:
        path.open("rb").close()
    except FileNotFoundError:
        near = suggestion(path.name, (one.name for one in path.parent.glob("*.eml")))
        return f"there is no file `{name}` beside the pipeline{near}"
    except (OSError, ValueError) as error:
        return f"`{name}` cannot be read: {getattr(error, 'strerror', None) or 'this is no file name'}"
    return ""


def _octets(text: str | None) -> bytes | None:
    return None if text is None else text.encode()
