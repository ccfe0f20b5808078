"""What to tell an operator whose YAML cannot be read: mostly that text must be quoted."""

import re
from typing import Final

# At the start of a value these mean something to YAML. What follows is never shown: it may be a password.
_EATEN = re.compile(r"""(?:(?:^|[:,-])[ \t]+|[\[{][ \t]*)(\*|@|\{\{|>|%|`|&|!|\|)(?=[^\s]|\s+[^\s#])|^\s*(\{\{|@|`)""")

UNCLOSED: Final = "a quote is opened here and never closed"
_SENTENCES: Final = {
    "mapping values are not allowed in this context": "`: ` inside a value must be "
    "quoted, and keys that belong together must be indented alike",
    "could not find expected ':'": "a `:` with a space behind it is missing, or this line is indented wrongly",
    "did not find expected key": "this line does not fit here: check its indentation, and quote values that "
    "hold `: `, ` #`, quotes or brackets",
    "did not find expected '-' indicator": "this line does not fit into the list: begin it with `- `, or "
    "mend its indentation",
    "did not find expected ',' or ']'": "a `,` or the closing `]` is missing; quote text that holds `[`, `{` or `,`",
    "did not find expected ',' or '}'": "a `,` or the closing `}` is missing; quote text that holds `[`, `{` or `,`",
    "did not find expected node content": "a value is missing here",
    "found unexpected end of stream": UNCLOSED,
    "found unexpected document indicator": UNCLOSED,
    "found unknown escape character": "unknown escape after a backslash: use single quotes, where a "
    "backslash is itself, or double it",
    "block sequence entries are not allowed in this context": "a list begins on a line below its key",
    "did not find expected <document start>": "this does not belong to what stands above it: check the indentation",
    "the nesting is too deep": "the nesting is too deep",
}
_TAB = "indent with spaces: YAML does not take tabs"


def remedy(problem: str, text: str, place: tuple[int, int], begun: tuple[int, int] | None) -> str:
    """A sentence for the parser's `problem` at `place` (line and column from 0), which began at `begun`."""
    lines = text.splitlines()
    if _tabbed(lines, place):
        return _TAB
    for line, _ in filter(None, (place, begun)):
        if found := _EATEN.search(lines[line]) if line < len(lines) else None:
            sign = found[1] or found[2]
            return f"text that begins with `{sign}` must be quoted: YAML reads it as its own sign"
    return _SENTENCES.get(problem, "this is not YAML: check quotes and indentation here and in the line above")


def _tabbed(lines: list[str], place: tuple[int, int]) -> bool:
    line, column = place
    if line >= len(lines):
        return False
    return "\t" in lines[line][: column + 1] and not lines[line][:column].strip()
