"""What a server says about a login that it refuses, fit for a log: some say again what they were given."""

import base64
import re
from typing import Final

# Base64 of a whole response, and tokens that are cut off; no sentence holds such words.
_LONG: Final = re.compile(r"[A-Za-z0-9+/=_-]{24,}")
_LEAST: Final = 4  # characters of a beginning that tell something


def without(secret: str, text: str) -> str:
    """The text without the secret: as it is, in base64, or cut off at the text's end."""
    for form in (secret, base64.b64encode(secret.encode()).decode()):
        text = _ended(form, text.replace(form, "…")) if form else text
    return _LONG.sub("…", text)


def _ended(form: str, text: str) -> str:
    """Without a beginning of it that is the text's end."""
    longest = min(len(form) - 1, len(text))
    cut = next((size for size in range(longest, _LEAST - 1, -1) if text.endswith(form[:size])), 0)
    return f"{text[: len(text) - cut]}…" if cut else text
