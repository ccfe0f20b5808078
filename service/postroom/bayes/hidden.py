"""Text of an HTML page that a reader cannot see: too small, of the colour of its ground, or not displayed.

Spam carries a novel there to look like ordinary mail. One pass over the tags, linear whatever the input holds.
"""

import re
from typing import Final

_TAG: Final = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]{0,19})([^<>]{0,2000})>")
# Nothing is hidden on a page that has none of these; most have none.
_SUSPECT: Final = re.compile(
    r"display\s{0,9}:\s{0,9}none|visibility\s{0,9}:\s{0,9}hidden|opacity\s{0,9}:\s{0,9}0|font-size\s{0,9}:\s{0,9}[01.]"
    r"|color\s{0,9}[:=]|\shidden\b",
    re.IGNORECASE,
)
_GONE: Final = re.compile(
    r"display\s{0,9}:\s{0,9}none|visibility\s{0,9}:\s{0,9}hidden|opacity\s{0,9}:\s{0,9}0(?:\.0\d{0,9})?(?![.\d])"
    r"|font-size\s{0,9}:\s{0,9}(?:0|1(?:\.\d{1,9})?\s{0,9}p[xt]|\.\d)(?![\d.%])"
    r"|\shidden(?=[\s/>=]|\Z)",
    re.IGNORECASE,
)
_COLOUR: Final = re.compile(
    r"(?<![\w-])color\s{0,9}[:=]\s{0,9}[\"']?\s{0,9}(#[0-9a-f]{3,6}|[a-z]{3,20}|rgb\([\d\s,]{5,20}\))", re.IGNORECASE
)
_GROUND: Final = re.compile(
    r"(?:bgcolor\s{0,9}=|background(?:-color)?\s{0,9}:)\s{0,9}[\"']?\s{0,9}(#[0-9a-f]{3,6}|[a-z]{3,20}|rgb\([\d\s,]{5,20}\))",
    re.IGNORECASE,
)
_NAMES: Final = {
    "white": (255, 255, 255), "snow": (255, 250, 250), "ivory": (255, 255, 240), "whitesmoke": (245, 245, 245),
    "black": (0, 0, 0), "red": (255, 0, 0), "blue": (0, 0, 255), "green": (0, 128, 0), "yellow": (255, 255, 0),
    "gray": (128, 128, 128), "grey": (128, 128, 128), "silver": (192, 192, 192),
}  # fmt: skip
_VOID: Final = frozenset(
    ("area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr")
)
_DEEPEST: Final = 200
_NEAR: Final = 24  # steps of 255 in each of red, green and blue that no eye tells apart
Colour = tuple[int, int, int]
BLACK: Final[Colour] = (0, 0, 0)
WHITE: Final[Colour] = (255, 255, 255)


def split(html: str) -> tuple[str, str]:
    """The page without what is hidden, and the hidden pieces."""
    if not _SUSPECT.search(html):
        return html, ""
    shown: list[str] = []
    hidden: list[str] = []
    stack: list[tuple[str, bool, Colour, Colour]] = []  # name; whether gone, colour, ground before it
    gone, colour, ground = False, BLACK, WHITE
    is_hidden = False
    end = 0
    for tag in _TAG.finditer(html):
        (hidden if is_hidden else shown).append(html[end : tag.start()])
        end = tag.end()
        shown.append(tag[0])
        name = tag[2].lower()
        if tag[1]:
            at = next((n for n in range(len(stack) - 1, -1, -1) if stack[n][0] == name), None)
            if at is not None:
                _, gone, colour, ground = stack[at]
                del stack[at:]
                is_hidden = gone or _same(colour, ground)
        elif name not in _VOID and len(stack) < _DEEPEST:
            stack.append((name, gone, colour, ground))
            if len(tag[3]) > 4:
                colour, ground = _colour(_COLOUR, tag[3], colour), _colour(_GROUND, tag[3], ground)
                gone = gone or bool(_GONE.search(tag[3]))
                is_hidden = gone or _same(colour, ground)
    (hidden if is_hidden else shown).append(html[end:])
    return "".join(shown), " ".join(hidden)


def _same(one: Colour, other: Colour) -> bool:
    return all(abs(a - b) <= _NEAR for a, b in zip(one, other, strict=True))


def _colour(pattern: re.Pattern[str], attributes: str, before: Colour) -> Colour:
    found = pattern.search(attributes)
    if found is None:
        return before
    text = found[1].lower()
    if text[0] == "#":
        digits = text[1:] if len(text) == 7 else "".join(digit * 2 for digit in text[1:4])
        return int(digits[:2], 16), int(digits[2:4], 16), int(digits[4:6], 16)
    if text[:4] == "rgb(":
        numbers = [min(255, int(number)) for number in re.findall(r"\d{1,3}", text)[:3]]
        return (numbers[0], numbers[1], numbers[2]) if len(numbers) == 3 else before
    return _NAMES.get(text, before)
