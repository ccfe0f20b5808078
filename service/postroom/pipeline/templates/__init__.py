"""Templates: text with values from a message in it, each made safe for the place it goes to.

A template without `{{` or `{%` is a constant. One that only names values (`{{ from.domain }}`) is filled in here;
everything else is Jinja2's, which is imported for it. Both give the same text.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Self

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from postroom.pipeline.templates import contexts
from postroom.pipeline.templates.engine import compile_source
from postroom.pipeline.templates.syntax import Path, check_path, simple
from postroom.pipeline.templates.values import VALUES, AttachmentValue
from postroom.pipeline.tools import Tools
from postroom.pipeline.view import View

_MARKS = ("{{", "{%", "{#")


class Template:
    """Text to be filled in. Raises ValueError, with the remedy, for a name, filter or construct that does not exist.

    In pydantic models it is read from a string and dumped as its source. Subclasses say where the text goes.
    """

    place: ClassVar[str] = "text"  # what it makes, in the reference
    extra: ClassVar[frozenset[str]] = frozenset()  # values that the step passes to `render` beside the message's
    most: ClassVar[int] = 100_000  # characters of the result; the rest is cut

    def __init__(self, source: str) -> None:
        self.source = source
        self.constant = not any(mark in source for mark in _MARKS)
        self._pieces = simple(source)
        self._render = None
        if self._pieces is not None:
            self._paths = frozenset(piece for piece in self._pieces if isinstance(piece, tuple))
            for path in sorted(self._paths):
                check_path(path, self.extra)
        else:
            self._render, self._paths = compile_source(source, self.extra, self.clean)
        self.check()

    def check(self) -> None:
        """Raise ValueError where the literal text does not fit the place."""

    @staticmethod
    def clean(value: object) -> str:
        """One interpolated value, made safe."""
        return contexts.plain_text(value)

    def finish(self, text: str) -> str:
        """The whole text, made safe where its pieces together may not be."""
        return text

    @property
    def names(self) -> frozenset[str]:
        """Values that it uses: `recipient`, `received`."""
        return frozenset(path[0] for path in self._paths)

    @property
    def groups(self) -> frozenset[str]:
        """Named groups of patterns that it uses: `{{ match.number }}`."""
        return frozenset(path[1] for path in self._paths if path[0] == "match" and len(path) > 1)

    @property
    def facts(self) -> frozenset[str]:
        """Facts that it shows, as `Step.gives` names them: `spam`, `auth`, `duplicate`, `tag`, `script.NAME`."""
        return frozenset(_fact(path) for path in self._paths if path[0] == "facts" and len(path) > 1)

    @property
    def literal(self) -> str:
        """The text in front of the first value."""
        return self.source[: min(found for mark in _MARKS if (found := f"{self.source}{mark}".find(mark)) >= 0)]

    def render(self, view: View, tools: Tools, **extra: object) -> str:
        """Fill it in. Never fails on a message: a value that is absent is empty. `extra` as the class names it."""
        if self.constant:
            return self.source
        values = {path[0]: extra[path[0]] if path[0] in extra else VALUES[path[0]](view, tools) for path in self._paths}
        text = self._render(values) if self._render else self._filled(values)
        return self.finish(text[: self.most])

    def _filled(self, values: Mapping[str, object]) -> str:
        assert self._pieces is not None
        return "".join(piece if isinstance(piece, str) else self.clean(_found(values, piece)) for piece in self._pieces)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.source!r})"

    def __str__(self) -> str:
        return self.source

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Template) and type(other) is type(self) and other.source == self.source

    def __hash__(self) -> int:
        return hash((type(self), self.source))

    @classmethod
    def _read(cls, value: object) -> Self:
        if isinstance(value, cls):
            return value
        if not isinstance(value, str):
            raise ValueError("a text is expected here: put it in quotes")  # noqa: TRY004 - pydantic reads ValueError
        return cls(value)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(cls._read, serialization=core_schema.to_string_ser_schema())

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: Any) -> dict[str, Any]:
        return {"type": "string"}


class TextTemplate(Template):
    """Free text of several lines: the text of a mail."""


class NoteTemplate(TextTemplate):
    """What stands in an attachment's place; the attachment is among the values."""

    extra = frozenset({"attachment"})


class HtmlTemplate(Template):
    """HTML. A value is text in it and never markup."""

    place = "HTML"

    @staticmethod
    def clean(value: object) -> str:
        return contexts.html_text(value)


class HeaderTemplate(Template):
    """The value of a header field: one line."""

    place = "one line of text"
    most = 10_000

    def check(self) -> None:
        if any(ord(char) < 32 or ord(char) == 127 for char in self.literal if char != "\t"):
            raise ValueError("the value of a header is one line without control characters")

    @staticmethod
    def clean(value: object) -> str:
        return contexts.header_value(value)

    def finish(self, text: str) -> str:
        return contexts.header_value(text)


class PathTemplate(Template):
    """A path. Each value is one segment or a piece of one: it cannot hold a separator, nor be `..`.

    `root` is the literal part up to the last `/` before the first value: nothing leaves it.
    """

    place = "path"
    most = 3000

    @property
    def root(self) -> str:
        """All of a constant; else the literal directory in front of the first value, with its final `/`."""
        return self.source if self.constant else self.literal[: self.literal.rfind("/") + 1]

    def check(self) -> None:
        if "\0" in self.source or not self.source.strip():
            raise ValueError("a path is expected here")
        if self.source.startswith("$"):
            raise ValueError("no shell expands this path: write `~/…` for the home directory")
        if ".." in self.source[len(self.root) :].split("/"):
            raise ValueError(
                "`..` cannot stand behind a value: nothing may leave the directory in front of the first one"
            )

    @staticmethod
    def clean(value: object) -> str:
        return contexts.path_segment(value)

    def finish(self, text: str) -> str:
        return contexts.tidy_segments(text, self.root)


class SegmentTemplate(Template):
    """One file name; in `extract`, where the attachment is among the values."""

    place = "file name"
    extra = frozenset({"attachment"})
    most = 3000

    def check(self) -> None:
        if "/" in self.literal or "\0" in self.source or not self.source.strip():
            raise ValueError("a file name is expected here, without `/`")

    @staticmethod
    def clean(value: object) -> str:
        return contexts.path_segment(value)

    def finish(self, text: str) -> str:
        return contexts.path_segment(text) or contexts.NOTHING


class FolderTemplate(Template):
    """A mail folder, its segments separated by `/`. A value cannot hold a separator, a dot or a wildcard."""

    place = "folder"
    most = 1000

    def check(self) -> None:
        if any(ord(char) < 32 for char in self.source) or not self.source.strip("/ "):
            raise ValueError("the name of a folder is expected here: INBOX, Archive/2026")
        if self.literal.startswith(("/", "~/", "./", "../", "$HOME", "$MAILDIR")):
            raise ValueError(
                "a folder of the mailbox is expected here, such as Archive/2026; `file` delivers to a path"
            )

    @staticmethod
    def clean(value: object) -> str:
        return contexts.folder_segment(value)

    def finish(self, text: str) -> str:
        return contexts.tidy_segments(text, self.literal[: self.literal.rfind("/") + 1])


class ArgumentTemplate(Template):
    """One argument of a command. A value in front cannot make an option of it."""

    place = "argument"
    most = 30_000

    def check(self) -> None:
        if "\0" in self.source:
            raise ValueError("an argument cannot hold NUL")

    @staticmethod
    def clean(value: object) -> str:
        return contexts.argument_value(value)

    def finish(self, text: str) -> str:
        return text if self.literal else text.lstrip("-")


class AddressTemplate(Template):
    """One address, `local@domain`; empty where the values make none."""

    place = "address"
    most = 1000

    def check(self) -> None:
        if self.constant and not self.finish(self.source):
            raise ValueError("an address is expected here: somebody@example.com")

    @staticmethod
    def clean(value: object) -> str:
        return contexts.header_value(value)

    def finish(self, text: str) -> str:
        from postroom.message.address import parse_address

        address = parse_address(text)
        return address.spec if address and address.domain else ""


class UrlTemplate(Template):
    """A URL. Each value is percent-encoded and stays one component."""

    place = "URL"
    most = 8000

    @staticmethod
    def clean(value: object) -> str:
        return contexts.url_component(value)


def _found(values: Mapping[str, object], path: Path) -> object:
    value = values[path[0]]
    for name in path[1:]:
        value = value.get(name, "") if isinstance(value, Mapping) else getattr(value, name, "")
    return value


def _fact(path: Path) -> str:
    if path[1] == "tags":
        return "tag"
    return ".".join(path[1:3]) if path[1] == "script" else path[1]


__all__ = [
    "AddressTemplate",
    "ArgumentTemplate",
    "AttachmentValue",
    "FolderTemplate",
    "HeaderTemplate",
    "HtmlTemplate",
    "NoteTemplate",
    "PathTemplate",
    "SegmentTemplate",
    "Template",
    "TextTemplate",
    "UrlTemplate",
]
