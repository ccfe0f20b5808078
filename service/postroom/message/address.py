"""Mail addresses: a header's list of them, and the single one of an envelope (RFC 5322 §3.4, RFC 6532).

Real lists are full of rubbish, so everything that can be an address becomes one, and what cannot stays as a
name with an empty `spec`: nothing is lost, and a rule can still see it. A well-formed list is read by one
expression per address; an element that is not well-formed is left to the patient reader below.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from postroom.message.build import build
from postroom.model import Model

_ATOM = r'[^\s\x00-\x1f\x7f"(),:;<>@\[\]\\]++'
# A local user alone ends with its element; after an address another may follow, of which the comma is missing.
_WELL_FORMED = re.compile(
    rf"""[\s,;]*+
    (?: (?: "([^"\\]*+)" | ([^"(),:;<>@\[\]\\]*+) ) \s*+ <({_ATOM})@({_ATOM})>
      | (?!=\?) ({_ATOM}) (?: @({_ATOM}) | (?=\s*+(?:[,;]|\Z)) ) )
    (?: \s*+ (?: [,;] | \Z ) | \s++ (?=(?!\.|=\?){_ATOM}@{_ATOM}(?:[\s,;]|\Z)) )""",
    re.VERBOSE,
)
_TOKEN = re.compile(
    r"""(?P<space>\s++)
      | (?P<quoted>"[^"\\]*+(?:\\.[^"\\]*+)*+")
      | (?P<encoded>=\?[^?\s]++\?[bBqQ]\?[^?\s]*+\?=)
      | (?P<literal>\[[^\[\]\\]*+\])
      | (?P<pair>\\.)
      | (?P<atom>[^\s\x00-\x1f\x7f"(),:;<>@\[\]\\]++)
      | (?P<mark>\(|(?P<same>.)(?P=same)*+)""",
    re.VERBOSE | re.DOTALL,
)
_ENVELOPE = re.compile(
    rf"""(?:@[^:\s]*+:)?({_ATOM}|"(?:[^"\\\x00-\x1f\x7f]|\\[^\x00-\x1f\x7f])*+")(?:@({_ATOM}|\[[^\[\]\\\s]*+\]))?"""
)
_BETWEEN = re.compile(r"[\s,;>]++")
_PARENTHESIS = re.compile(r"\\.|[()]", re.DOTALL)
_PAIR = re.compile(r"\\(.)", re.DOTALL)
_CONTROL = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")
_DOT_ATOM = re.compile(r'(?!\.)(?:\.?[^\s"(),:;<>@\[\]\\.]++)+')
_LONGEST_PATH = 512
_LONGEST_LABEL = 63


class Address(Model):
    """One address. `spec` is `local@domain`, or empty where a list holds a name and nothing else.

    `local` is kept as written, without quotes that say nothing; `detail` is what follows its first `+`.
    `domain` is in lower case with its labels as A-labels (RFC 5890), without a final dot; it is empty for a
    local user (`root`).
    """

    name: str = ""
    local: str = ""
    domain: str = ""
    detail: str = ""
    spec: str = ""


def parse_addresses(text: str, decode: Callable[[str], str]) -> tuple[Address, ...]:
    """Read an unfolded header value as a list of mailboxes and groups; never raises, linear in its length.

    `decode` undoes RFC 2047 and sees display names only, after the structure is known: an encoded comma or
    `<` cannot make an address. Members of groups are listed, names of groups are not.
    """
    found: list[Address] = []
    reader: _Reader | None = None
    position, end = 0, len(text)
    while position < end:
        match = _WELL_FORMED.match(text, position)
        if match is None:
            reader = reader or _Reader(text, decode, found)
            position = reader.read(position)
            continue
        quoted, phrase, local, domain, bare, bare_domain = match.groups()
        if bare is None:
            found.append(_address(_shown(quoted or phrase or "", decode), local, domain))
        elif bare_domain is not None or bare.isascii():
            found.append(_address("", bare, bare_domain))
        elif name := _shown(bare, decode):
            found.append(_address(name, "", None))
        position = match.end()
    return tuple(found)


def parse_address(text: str) -> Address | None:
    """Read one address of an envelope, with or without angle brackets (RFC 5321 §4.1.2).

    None where it is no single address: empty (`<>` too), a list, with a display name, with control
    characters, or over 512 characters. A source route is dropped. A local user without a domain
    (`postmaster`) is an address.
    """
    text = text.strip(" ")
    if text.startswith("<") and text.endswith(">"):
        text = text[1:-1]
    if len(text) > _LONGEST_PATH or _CONTROL.search(text):
        return None
    match = _ENVELOPE.fullmatch(text)
    if match is None:
        return None
    local, domain = match[1], match[2]
    if domain is not None and "" in domain.removesuffix(".").split("."):
        return None
    return _address("", local, domain)


def _address(name: str, local: str, domain: str | None) -> Address:
    """Build without validation, which would cost more than the parsing. None as domain: there was no `@`."""
    if domain is None:
        domain, spec = "", local
    else:
        domain = _compared(domain)
        spec = f"{local}@{domain}"
    unquoted = local
    if local[:1] == '"':
        unquoted = _PAIR.sub(r"\1", local[1:-1])
        if _DOT_ATOM.fullmatch(unquoted):
            spec = unquoted + spec[len(local) :]
            local = unquoted
    detail = unquoted.partition("+")[2]
    return build(Address, {"name": name, "local": local, "domain": domain, "detail": detail, "spec": spec})


def _compared(domain: str) -> str:
    """Give the one form in which domains are compared."""
    domain = domain.lower()
    if not domain.isascii():
        # Python's codec `idna` maps ß to ss (RFC 3490): another domain, another owner. RFC 5891 does not.
        plain = unicodedata.normalize("NFKC", domain).lower().replace("。", ".")
        domain = ".".join(_a_label(label) for label in plain.split("."))
    return domain.removesuffix(".")


def _a_label(label: str) -> str:
    """Encode one label (RFC 5891 §4.4); one that cannot be encoded within 63 characters stays as it is."""
    if label.isascii() or len(label) > _LONGEST_LABEL:
        return label
    try:
        encoded = "xn--" + label.encode("punycode").decode("ascii")
    except UnicodeError:
        return label
    return encoded if len(encoded) <= _LONGEST_LABEL else label


def _shown(name: str, decode: Callable[[str], str]) -> str:
    return " ".join(decode(name).split()) if name else ""


class _Token(NamedTuple):
    """A piece of an element: as written, as it reads in a name, whether white space stood before it."""

    raw: str
    shown: str
    apart: bool
    atom: bool


class _Reader:
    """Reads what is not well-formed, token by token: comments, groups, routes, quoting, stray marks."""

    def __init__(self, text: str, decode: Callable[[str], str], found: list[Address]) -> None:
        self._text = text
        self._closing = _comments(text) if "(" in text else {}
        self._decode = decode
        self._found = found
        self._start()

    def _start(self) -> None:
        self._words: list[_Token] = []
        self._comments: list[str] = []
        self._angle: list[_Token] | None = None
        self._within = False
        self._apart = False

    def read(self, position: int) -> int:
        """Read from `position` to the end of the element there; add what it holds and give where it ended."""
        text, end = self._text, len(self._text)
        if between := _BETWEEN.match(text, position):
            position = between.end()
        self._ended = False
        while position < end and not self._ended:
            if position in self._closing:
                comment = text[position + 1 : self._closing[position]]
                self._comments.append(_PAIR.sub(r"\1", comment))
                self._apart, position = True, self._closing[position] + 1
                continue
            token = _TOKEN.match(text, position)
            # The last branch takes any character.
            assert token is not None
            position = token.end()
            self._take(token.lastgroup or "", token[0])
        self._finish()
        return position

    def _take(self, kind: str, raw: str) -> None:
        if kind == "space":
            self._apart = True
        elif kind == "mark" and raw[0] != "@":
            self._mark(raw[0])
        else:
            raw = "@" if kind == "mark" else _CONTROL.sub("", raw)
            shown = raw
            if kind == "quoted":
                shown = _PAIR.sub(r"\1", raw[1:-1])
            elif kind == "pair":
                raw = shown = raw[1:].strip()
            self._add(_Token(raw, shown, self._apart, kind == "atom"))

    def _add(self, token: _Token) -> None:
        self._apart = False
        if self._within and self._angle is not None:
            self._angle.append(token)
            return
        if token.raw == "@" and self._angle is not None:
            # `<a@x> b@y`: the comma between the two is missing.
            last = [self._words.pop()] if self._words else []
            self._finish()
            self._words = last
        self._words.append(token)

    def _mark(self, mark: str) -> None:
        inner = self._angle if self._within else None
        match mark:
            case "<":
                if self._angle:
                    self._finish()
                self._angle, self._within = [], True
            case ">":
                self._within = False
            case ",":
                # A route holds commas (`<@a,@b:user@c>`, RFC 5322 §4.4); elsewhere the `>` is missing.
                self._ended = not (inner and inner[0].raw == "@")
            case ";":
                self._ended = True
            case ":" if inner is not None:
                inner.clear()
            case ":":
                if self._angle or any(word.raw == "@" for word in self._words):
                    self._finish()
                else:
                    self._words, self._comments = [], []
        self._apart = True

    def _finish(self) -> None:
        """End one element and keep what it held."""
        comment = " ".join(self._comments)
        if self._angle is not None:
            self._emit(_phrase(self._words) or comment, self._angle)
        elif any(word.raw == "@" for word in self._words):
            self._emit(comment, self._words)
        elif len(self._words) == 1 and self._words[0].atom and self._words[0].raw.isascii():
            self._keep(comment, self._words[0].raw, None)
        else:
            self._keep(_phrase(self._words), "", None)
        self._start()

    def _emit(self, name: str, tokens: Sequence[_Token]) -> None:
        """Keep each address among `tokens`; words beside them are a name where there is no other."""
        words: list[_Token] = []
        specs: list[tuple[str, str | None]] = []
        for chunk in _chunks(tokens):
            at = max((index for index, token in enumerate(chunk) if token.raw == "@"), default=None)
            if at is None:
                words += chunk
            elif len(chunk) > 1:
                specs.append((_written(chunk[:at]), _written(chunk[at + 1 :])))
        if not specs and len(words) == 1:
            specs, words = [(words[0].raw, None)], []
        name = name or _phrase(words)
        for local, domain in specs:
            self._keep(name, local, domain)
            name = ""
        self._keep(name, "", None)

    def _keep(self, name: str, local: str, domain: str | None) -> None:
        name = _shown(name, self._decode)
        if name or local or domain:
            self._found.append(_address(name, local, domain))


def _phrase(tokens: Sequence[_Token]) -> str:
    return "".join(f" {token.shown}" if token.apart else token.shown for token in tokens).strip()


def _written(tokens: Sequence[_Token]) -> str:
    return "".join(token.raw for token in tokens)


def _chunks(tokens: Sequence[_Token]) -> Iterator[list[_Token]]:
    """Split at white space, but not around `@` and dots, where obsolete syntax has it (RFC 5322 §4.4)."""
    chunk: list[_Token] = []
    for token in tokens:
        if chunk and token.apart and token.raw[:1] not in (".", "@") and chunk[-1].raw[-1:] not in (".", "@"):
            yield chunk
            chunk = []
        chunk.append(token)
    if chunk:
        yield chunk


def _comments(text: str) -> dict[int, int]:
    """Map each `(` that is closed to its `)`; an unclosed one is no comment, or it would swallow the rest."""
    opened: list[int] = []
    closing: dict[int, int] = {}
    for mark in _PARENTHESIS.finditer(text):
        if mark[0] == "(":
            opened.append(mark.start())
        elif mark[0] == ")" and opened:
            closing[opened.pop()] = mark.start()
    return closing
