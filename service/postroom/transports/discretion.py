"""What a server says about a login that it refuses, fit for a log: some say again what they were given."""

import base64
import binascii
import re
from contextlib import suppress
from typing import Final

_WORD: Final = re.compile(r"[A-Za-z0-9+/=_-]{8,}")
_LONG: Final = 24  # characters of a word that no sentence holds: a response in base64, a token that is cut off
_LEAST: Final = 4  # characters of a beginning that tell something


def without(secret: str, text: str) -> str:
    """The text without the secret: as it is, in base64, or cut off at the text's end."""
    for form in (secret, base64.b64encode(secret.encode()).decode()):
        text = _ended(form, text.replace(form, "…")) if form else text
    return _WORD.sub(lambda word: "…" if _tells(secret, word[0]) else word[0], text)


def _tells(secret: str, word: str) -> bool:
    """Whether it may be made of the secret, as the responses of SASL are."""
    if len(word) >= _LONG:
        return True
    with suppress(binascii.Error):
        return bool(secret) and secret.encode() in base64.b64decode(word.rstrip("=") + "==")
    return False


def _ended(form: str, text: str) -> str:
    """Without a beginning of it that is the text's end."""
    longest = min(len(form) - 1, len(text))
    cut = next((size for size in range(longest, _LEAST - 1, -1) if text.endswith(form[:size])), 0)
    return f"{text[: len(text) - cut]}…" if cut else text
