"""Did you mean …: the nearest of the words that would have been right."""

from collections.abc import Iterable


def suggestion(word: str, known: Iterable[str], *, most: int = 12) -> str:
    """`; did you mean `x`?`, or the words to choose from where none is near and they are few, or nothing."""
    names = sorted(set(known))
    if near := nearest(word, names):
        return f"; did you mean `{near}`?"
    if 0 < len(names) <= most:
        return "; known here: " + ", ".join(f"`{name}`" for name in names)
    return ""


def nearest(word: str, known: Iterable[str]) -> str:
    """The word that was probably meant; empty where none is near."""
    from difflib import get_close_matches

    return next(iter(get_close_matches(word, list(known), n=1, cutoff=0.6)), "")
