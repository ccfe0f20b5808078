"""What a method found, and why."""

from dataclasses import dataclass

from postroom.pipeline.view import AuthResult


@dataclass(frozen=True, slots=True)
class Verdict:
    """A result of RFC 8601 with its reason in words of ours, never in those of a message. `domain`: whom it speaks for;
    empty where nobody."""

    result: AuthResult
    reason: str
    domain: str = ""
