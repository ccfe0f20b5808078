"""HTML as text, by one linear pass that no input slows down.

What a browser would not show is dropped, by its own rules (WHATWG HTML §13.2.5): comments, scripts, styles,
titles, and all that follows a tag, comment or quoted value that is never closed. One expression tells tags
and comments apart. Every branch of it matches, if need be up to the end, so no position is scanned twice.
"""

import re

_TOKEN = re.compile(
    r"""<(?:
        (/?[a-zA-Z][^\s/>]*+)
        ((?:[^>=]++|=\s*+(?:"[^"]*+"|'[^']*+'|[^\s>"'][^\s>]*+|(?=>)))*+)
        (?:>|=.*+|\Z)
      | !--(?:-?>|.*?(?:--!?>|\Z))
      | [!?/][^>]*+(?:>|\Z)
    )""",
    re.VERBOSE | re.DOTALL,
)
_RAW_END = {
    name: re.compile(rf"</{name}(?=[\s/>])|\Z", re.IGNORECASE)
    for name in ("script", "style", "title", "iframe", "noembed", "noframes", "xmp")
}
_ATTRIBUTE = re.compile(r"""([^\s=>/]++)(?:\s*+=\s*+(?:"([^"]*+)"|'([^']*+)'|([^\s>"'][^\s>]*+)))?""")
_REFERENCE = re.compile(r"&(?:#[0-9]{2,}+;?|#[0-9];|#[xX][0-9a-fA-F]++;?|[a-zA-Z][a-zA-Z0-9]{1,31}+;?)")
_GAP = re.compile(r"(?:[^\S ]|[ ](?=\s))\s*+")

# Where a line or a paragraph ends. The two are ASCII separators, which count as white space everywhere in
# Python, so that one found in the input can do no more than break a line.
_LINE, _PARAGRAPH = "\x1e", "\x1d"
_LINES = (
    "address article aside body center dd details dialog dir div dl dt fieldset figcaption figure footer "
    "form header hgroup hr html legend li main menu nav option search section summary tbody tfoot thead tr"
)
_PARAGRAPHS = "blockquote h1 h2 h3 h4 h5 h6 ol p pre table ul"
_BREAKS = {"br": "\n", "/br": "\n", "td": " ", "th": " "} | {
    slash + name: mark
    for names, mark in ((_LINES, _LINE), (_PARAGRAPHS, _PARAGRAPH))
    for name in names.split()
    for slash in ("", "/")
}
_SCHEMES = ("http:", "https:", "ftp:", "mailto:", "tel:")


def html_to_text(html: str) -> str:
    """Give the text that a reader would see, one line per block, paragraphs a blank line apart.

    A link reads `text <url>` where the text is not the address already. Never raises; takes time linear in
    the input whatever it holds.
    """
    return _Scanner(html).text()


class _Scanner:
    """The pieces of text found so far, and the link that is open."""

    def __init__(self, html: str) -> None:
        self._html = html
        self._pieces: list[str] = []
        self._characters = _Characters()
        self._url = ""
        self._since = 0
        self._preformatted = False

    def text(self) -> str:
        end: int | None = 0
        while end is not None:
            end = self._markup(end)
        self._link("")
        return _GAP.sub(_gap, "".join(self._pieces)).strip()

    def _markup(self, end: int) -> int | None:
        """Read from `end` on to the next element in which nothing is markup; give where that one ends."""
        html, pieces = self._html, self._pieces
        for token in _TOKEN.finditer(html, end):
            start = token.start()
            if start > end:
                self._keep(html[end:start])
            end = token.end()
            name = (token[1] or "").lower()
            mark = _BREAKS.get(name)
            if mark is not None:
                pieces.append(mark)
                if mark is _PARAGRAPH and name[-3:] == "pre":
                    self._preformatted = name == "pre"
            elif name == "a":
                self._link(token[2])
            elif name == "/a":
                self._link("")
            elif name in _RAW_END:
                return self._after_raw(name, end)
        self._keep(html[end:])
        return None

    def _after_raw(self, name: str, start: int) -> int:
        """Find the end tag of an element in which nothing else is markup; else all the rest is in it."""
        end = _RAW_END[name].search(self._html, start)
        return end.start() if end else len(self._html)

    def _keep(self, text: str) -> None:
        if "&" in text:
            text = self._characters.decode(text)
        if "\xa0" in text:
            text = text.replace("\xa0", " ")
        if "\n" in text and not self._preformatted:
            text = text.replace("\n", " ")
        self._pieces.append(text)

    def _link(self, attributes: str) -> None:
        """Close the link that is open, then open one where `attributes` name an address worth reading."""
        if self._url:
            shown = "".join("".join(self._pieces[self._since :]).split())
            if shown.rstrip("/") not in (self._url.rstrip("/"), _without_scheme(self._url)):
                self._pieces.append(f" <{self._url}>")
        self._url = self._href(attributes) if attributes else ""
        self._since = len(self._pieces)

    def _href(self, attributes: str) -> str:
        for attribute in _ATTRIBUTE.finditer(attributes):
            if attribute[1].lower() == "href":
                value = attribute[2] or attribute[3] or attribute[4] or ""
                url = "".join((self._characters.decode(value) if "&" in value else value).split())
                return url if url[:7].lower().startswith(_SCHEMES) else ""
        return ""


def _without_scheme(url: str) -> str:
    return url.partition(":")[2].removeprefix("//").rstrip("/")


class _Characters(dict[str, str]):
    """What each character reference of one document stands for, found once."""

    def decode(self, text: str) -> str:
        return _REFERENCE.sub(self._of, text)

    def _of(self, reference: re.Match[str]) -> str:
        return self[reference[0]]

    def __missing__(self, reference: str) -> str:
        self[reference] = character = _character(reference)
        return character


def _character(reference: str) -> str:
    """Give what a reference stands for, or the reference itself where it stands for nothing."""
    if reference[1] != "#":
        from html.entities import html5

        name = reference[1:]
        return html5.get(name) or html5.get(name.removesuffix(";")) or reference
    digits = reference[2:].rstrip(";")
    # Eight digits are enough to be out of range; a number of thousands of digits is an error in Python.
    code = int(digits[1:].lstrip("0")[:8] or "0", 16) if digits[0] in "xX" else int(digits.lstrip("0")[:8] or "0")
    if 0x80 <= code <= 0x9F:
        # Browsers read these as windows-1252 (WHATWG HTML §13.2.5.80).
        return bytes((code,)).decode("cp1252", "replace")
    return "\ufffd" if code == 0 or code > 0x10FFFF or 0xD800 <= code <= 0xDFFF else chr(code)


def _gap(match: re.Match[str]) -> str:
    """Fold a run of white space and breaks into one space, one line break, or one blank line."""
    run = match[0]
    if _PARAGRAPH in run:
        return "\n\n"
    breaks = run.count("\n")
    if _LINE not in run:
        return "\n\n" if breaks > 1 else "\n" if breaks else " "
    # A <br> at the end of a block breaks no further line; one in a block of its own is an empty line.
    within = breaks and (breaks > 1 or run.find(_LINE) < run.find("\n"))
    return "\n\n" if within else "\n"
