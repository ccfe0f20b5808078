"""RE2 searches: patterns whose cost a sender cannot raise, with limits on what an operator may ask of them."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any, Final

from postroom.pipeline.text import Text, composed

LONGEST: Final = 10_000  # characters of a pattern
PROGRAM: Final = 10_000  # instructions of the compiled pattern; a repeat goes up to RE2's own 1,000
_MEMORY: Final = 8 << 20
_BEYOND: Final = ("(?=", "(?!", "(?<=", "(?<!")


class Regex:
    """One search, without case unless it says `(?-i)`. Raises ValueError, with the remedy, for a bad or costly one."""

    def __init__(self, source: str) -> None:
        self.source = source
        if len(source) > LONGEST:
            raise ValueError(f"a regular expression has at most {LONGEST} characters; use in-file for long lists")
        self._compiled = _compile(composed(source))
        if max(self._compiled.programsize, self._compiled.reverseprogramsize) > PROGRAM:
            raise ValueError(
                f"this regular expression is too costly: it compiles to {self._compiled.programsize} instructions "
                f"of at most {PROGRAM}; use smaller repeats, fewer alternatives, or in-file"
            )
        for name in self.groups:
            if not name.isidentifier() or name.startswith("_"):
                raise ValueError(f"the group `{name}` cannot be named in a template: use letters and digits")

    @cached_property
    def groups(self) -> Mapping[str, int]:
        """Named groups and their numbers."""
        return dict(self._compiled.groupindex)

    def search(self, text: Text) -> Mapping[str, str] | None:
        """Named groups where it is found, empty for those that took no part; None where it is not."""
        found = self._compiled.search(text.octets)
        if found is None:
            return None
        return {name: (found.group(number) or b"").decode("utf-8", "replace") for name, number in self.groups.items()}


def _compile(source: str) -> Any:
    import re2

    options = re2.Options()
    options.log_errors, options.case_sensitive, options.max_mem = False, False, _MEMORY
    try:
        return re2.compile(source, options=options)
    except re2.error as error:
        raise ValueError(_remedy(source, error.args[0])) from None


def _remedy(source: str, reason: object) -> str:
    text = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
    if any(mark in source for mark in _BEYOND) or ("escape sequence: \\" in text and text[-1:].isdigit()):
        return f"{text}: RE2 has no look-around and no back-references, so that no message can make it hang"
    if "repetition size" in text:
        return f"{text}: repeats go up to 1000, nested ones multiplied"
    if "too large" in text:
        return f"{text}: use smaller repeats, fewer alternatives, or in-file"
    return f"not a regular expression that RE2 reads: {text}"
