"""What each field of `when` reads from a view. Values are kept in the view's memo, so that many rules share them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from postroom.message import Address, Message, Part
from postroom.message.address import parse_address
from postroom.pipeline.text import Text, texts
from postroom.pipeline.view import View

V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Mailbox:
    """An address as patterns see it: where its domain has A-labels, in both scripts."""

    specs: tuple[Text, ...]
    domains: tuple[Text, ...]
    local: tuple[Text, ...]
    detail: tuple[Text, ...]
    name: tuple[Text, ...]


@dataclass(frozen=True, slots=True)
class Attachment:
    """An attachment as patterns see it. `types`: what it is labelled and what its content says."""

    part: Part = field(repr=False)

    @property
    def names(self) -> tuple[Text, ...]:
        return texts([self.part.filename or ""])

    @property
    def given(self) -> tuple[Text, ...]:
        """Its name, where it has one."""
        return texts([self.part.filename] if self.part.filename else [])

    @property
    def types(self) -> tuple[Text, ...]:
        return texts({self.part.content_type: 1, self.part.detected_type or self.part.content_type: 1})

    @property
    def sizes(self) -> tuple[float]:
        return (self.part.size,)


def remembered(name: str, read: Callable[[View], tuple[V, ...]]) -> Callable[[View], tuple[V, ...]]:
    """`read`, asked once for each message."""

    def values(view: View) -> tuple[V, ...]:
        found: tuple[V, ...] | None = view.memo.get(name)
        if found is None:
            found = view.memo[name] = read(view)
        return found

    return values


def mailbox(address: Address) -> Mailbox:
    domains = [address.domain]
    specs = [address.spec]
    if "xn--" in address.domain:
        domains.append(_unicode(address.domain))
        specs.append(f"{address.spec[: -len(address.domain)]}{domains[-1]}")
    return Mailbox(
        specs=texts(specs),
        domains=_present(*domains),
        local=_present(address.local),
        detail=_present(address.detail),
        name=_present(address.name),
    )


def _present(*values: str) -> tuple[Text, ...]:
    """A part that an address lacks is no value: `detail: "*"` asks whether there is one."""
    return texts([value for value in values if value])


def _unicode(domain: str) -> str:
    return ".".join(_u_label(label) for label in domain.split("."))


def _u_label(label: str) -> str:
    if not label.startswith("xn--"):
        return label
    try:
        return label[4:].encode("ascii").decode("punycode")
    except (UnicodeError, ValueError, OverflowError):
        return label


def _header(name: str) -> Callable[[Message], Sequence[Address]]:
    return lambda message: getattr(message, name)


def _from_envelope(spec: str) -> Mailbox:
    address = parse_address(spec)
    return mailbox(address if address is not None else Address(spec=spec))


def _sender(view: View) -> tuple[Mailbox, ...]:
    sender = view.envelope.sender
    return () if sender is None else (_from_envelope(sender),)


def _envelope_to(view: View) -> tuple[Mailbox, ...]:
    return tuple(_from_envelope(spec) for spec in view.envelope.recipients)


def _recipient(view: View) -> tuple[Mailbox, ...]:
    message = view.message
    return (*map(mailbox, (*message.to, *message.cc, *message.bcc)), *_envelope_to(view))


def _listed(name: str) -> Callable[[View], tuple[Mailbox, ...]]:
    read = _header(name)
    return lambda view: tuple(mailbox(address) for address in read(view.message))


ADDRESSES: Final[dict[str, Callable[[View], tuple[Mailbox, ...]]]] = {
    "from": remembered("from", _listed("from_")),
    "to": remembered("to", _listed("to")),
    "cc": remembered("cc", _listed("cc")),
    "reply-to": remembered("reply-to", _listed("reply_to")),
    "sender": remembered("sender", _sender),
    "recipient": remembered("recipient", _recipient),
    "envelope-to": remembered("envelope-to", _envelope_to),
}


def _body(view: View) -> tuple[Text, ...]:
    body = view.message.body or ""
    if len(body) * 4 > view.match_limit:
        octets = body.encode("utf-8", "replace")
        if len(octets) > view.match_limit:
            view.memo["body is cut"] = True
            body = octets[: view.match_limit].decode("utf-8", "ignore")
    return texts([body])


def _optional(value: str | None) -> tuple[Text, ...]:
    return () if value is None else texts([value])


def _subject(view: View) -> tuple[Text, ...]:
    return _optional(view.message.subject)


def header(name: str) -> Callable[[View], tuple[Text, ...]]:
    """All fields of that name."""
    return remembered(f"header.{name.lower()}", lambda view: texts(view.message.headers.get_all(name)))


TEXTS: Final[dict[str, Callable[[View], tuple[Text, ...]]]] = {
    "subject": remembered("subject", _subject),
    "body": remembered("body", _body),
    "list-id": remembered("list-id", lambda view: _optional(view.message.list_id or None)),
    "message-id": remembered("message-id", lambda view: _optional(view.message.message_id or None)),
    "mailbox": lambda view: texts([view.mailbox]),
    "folder": lambda view: texts([view.folder]),
    "flags": lambda view: texts(sorted(view.flags)),
    "tag": lambda view: texts(sorted(view.facts.tags)),
}
"""All but `header.<Name>`."""


def _auth(method: str) -> Callable[[View], Sequence[Text] | None]:
    def result(view: View) -> Sequence[Text] | None:
        auth = view.facts.auth
        found: str | None = None if auth is None else getattr(auth, method)
        if found is None:
            # Of a domain that asks for nothing that is known.
            return () if method == "policy" and auth is not None and auth.dmarc is not None else None
        return texts([found])

    return result


AUTH: Final[dict[str, Callable[[View], Sequence[Text] | None]]] = {
    method: _auth(method) for method in ("dkim", "spf", "dmarc", "arc", "policy")
}
"""None while no step has said."""

INDEXED: Final = frozenset({*ADDRESSES, "subject", "list-id", "message-id"})
"""Fields by whose globs rules are looked up: they change only with the message. So do headers."""


def attachments(view: View) -> tuple[Attachment, ...]:
    return tuple(Attachment(part) for part in view.message.attachments)


BOOLS: Final[dict[str, Callable[[View], bool | None]]] = {
    "bulk": lambda view: view.message.is_bulk,
    "auto-submitted": lambda view: view.message.is_auto_submitted,
    "bounce": lambda view: view.message.is_bounce,
    "encrypted": lambda view: view.message.is_encrypted,
    "signed": lambda view: view.message.is_signed,
    "duplicate": lambda view: view.facts.duplicate,
}


def forms(field_name: str, view: View) -> Sequence[Text]:
    """Every text that globs on an indexed field are matched with."""
    if field_name in ADDRESSES:
        return [spec for value in ADDRESSES[field_name](view) for spec in value.specs]
    if field_name in TEXTS:
        return TEXTS[field_name](view)
    return header(field_name.partition(".")[2])(view)


def script_value(name: str, key: str) -> Callable[[View], Sequence[Any] | None]:
    """What a script answered under a key: None while it has said nothing; a list is several values."""

    def values(view: View) -> Sequence[Any] | None:
        answer = view.facts.script.get(name)
        if answer is None:
            return None
        value = answer.get(key)
        return value if isinstance(value, list) else () if value is None else (value,)

    return values
