"""The scanner `headers` of the step `spam`: what an upstream filter wrote, read above the trust line."""

import re
from collections.abc import Iterable, Mapping
from typing import Final, Literal

from postroom.message import Header
from postroom.pipeline.view import Spam
from postroom.steps.trust import beginning

Verdict = Literal["spam", "ham", "unsure"]

_SYMBOLS: Final = 200
_BEGINNING: Final = 16 * 1024  # octets of a field that are read
_FLOAT: Final = r"([-+]?\d{1,6}(?:\.\d{1,6})?)"
_STATUS_SCORE: Final = re.compile(rf"\b(?:score|hits)={_FLOAT}", re.IGNORECASE)
_STATUS_TESTS: Final = re.compile(r"\btests=(?:\[([^\]]{0,8000})\]|(\w+(?:\s?,\s?\w+)*))", re.IGNORECASE)
_NUMBER: Final = re.compile(rf"^{_FLOAT}(?![\w.])")
_STARS: Final = re.compile(r"^([*+]{1,100})$")
_LEVEL: Final = re.compile(r"^(-1|\d)$")
_WORD: Final = re.compile(r"\w{1,100}", re.ASCII)
_RSPAMD_SCORE: Final = re.compile(rf"\[\s*{_FLOAT}\s*/")
_RSPAMD_SYMBOL: Final = re.compile(r"\b([A-Z][A-Z0-9_]{1,63})\(")
_SCL: Final = re.compile(r"(?:^|;)\s*SCL:(-1|\d)\s*(?:;|$)", re.IGNORECASE)
# Rspamd's actions; a reject at SMTP time is spam in a mailbox.
ACTIONS: Final[Mapping[str, Verdict]] = {
    "no action": "ham",
    "greylist": "unsure",
    "soft reject": "unsure",
    "add header": "spam",
    "rewrite subject": "spam",
    "quarantine": "spam",
    "reject": "spam",
}


def upstream(believed: Iterable[Header]) -> Spam | None:
    """What trusted fields say, of several fields of a name the topmost; None where they say nothing."""
    fields: dict[str, str] = {}
    for header in believed:
        # Who sends much to be found makes the list of findings long; the verdict stands before it.
        fields.setdefault(header.name.lower(), beginning(header, _BEGINNING))
    for read in (_spamassassin, _rspamd, _microsoft):
        spam = read(fields)
        if spam.score is not None or spam.verdict is not None:
            return spam
    return None


def _spamassassin(fields: Mapping[str, str]) -> Spam:
    status = fields.get("x-spam-status", "")
    score = _first(_STATUS_SCORE, status) or _first(_NUMBER, fields.get("x-spam-score", ""))
    stars = _first(_STARS, fields.get("x-spam-level", "")) or _first(_STARS, fields.get("x-spam-score", ""))
    tests = _first(_STATUS_TESTS, status)
    symbols = [test.partition("=")[0].strip() for test in tests.split(",")]
    return Spam(
        score=float(score) if score else float(len(stars)) if stars else None,
        verdict=_yes_or_no(status) or _yes_or_no(fields.get("x-spam-flag", "")),
        symbols=tuple(symbol for symbol in symbols if _WORD.fullmatch(symbol) and symbol != "none")[:_SYMBOLS],
    )


def _rspamd(fields: Mapping[str, str]) -> Spam:
    result = fields.get("x-spamd-result", "")
    score = _first(_RSPAMD_SCORE, result) or _first(_NUMBER, fields.get("x-rspamd-score", ""))
    action = fields.get("x-rspamd-action", "").lower()
    return Spam(
        score=float(score) if score else None,
        verdict=ACTIONS.get(action) or _true_or_false(result),
        symbols=tuple(_RSPAMD_SYMBOL.findall(result)[:_SYMBOLS]),
    )


def _microsoft(fields: Mapping[str, str]) -> Spam:
    """The spam confidence level: -1 (not scanned, trusted) to 9; 5 and more is spam."""
    level = _first(_LEVEL, fields.get("x-ms-exchange-organization-scl", ""))
    level = level or _first(_SCL, fields.get("x-forefront-antispam-report", ""))
    return Spam(score=float(level), verdict="spam" if int(level) >= 5 else "ham") if level else Spam()


def _first(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.search(text)
    return next((group for group in found.groups() if group is not None), "") if found else ""


def _yes_or_no(text: str) -> Verdict | None:
    word = text.lstrip().partition(",")[0].partition(" ")[0].lower()
    return "spam" if word == "yes" else "ham" if word == "no" else None


def _true_or_false(text: str) -> Verdict | None:
    """Rspamd's X-Spamd-Result: `default: True [15.50 / 15.00]; …`."""
    word = text.partition(":")[2].partition("[")[0].strip().lower()
    return "spam" if word == "true" else "ham" if word == "false" else None
