"""Did you mean …: the nearest of the words that would have been right."""

from collections.abc import Iterable


def suggestion(word: str, known: Iterable[str]) -> str:
    """`; did you mean `x`?`, or the words to choose from where none is near and they are few, or nothing."""
    from difflib import get_close_matches

    names = sorted(set(known))
    if near := get_close_matches(word, names, n=1, cutoff=0.6):
        return f"; did you mean `{near[0]}`?"
    if 0 < len(names) <= 12:
        return "; known here: " + ", ".join(f"`{name}`" for name in names)
    return ""
