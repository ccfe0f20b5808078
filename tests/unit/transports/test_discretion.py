"""A server that says again what it was given puts no secret into our log."""

import base64

import pytest

from postroom.transports.discretion import without

SECRET = "s3cret-of-mine"


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (f"no such password: {SECRET}", "no such password: …"),
        (f"{SECRET} {SECRET}", "… …"),
        (f"unknown: {base64.b64encode(SECRET.encode()).decode()}", "unknown: …"),
        (f"unknown: {base64.b64encode(f'{chr(0)}ann{chr(0)}{SECRET}'.encode()).decode()}!", "unknown: …!"),
        (f"cut off: {SECRET[:-3]}", "cut off: …"),
        (f"cut off: {SECRET[:4]}", "cut off: …"),
        ("535 5.7.8 Username and Password not accepted. See https://support.google.com/mail/?p=BadCredentials",) * 2,
        ("[AUTHENTICATIONFAILED] Invalid credentials (Failure)",) * 2,
        ("", ""),
    ],
)
def test_a_refusal_is_told_without_the_secret(said: str, told: str) -> None:
    assert without(SECRET, said) == told


def test_a_token_that_was_cut_off_anywhere_is_not_told() -> None:
    token = "eyJhbGciOiJIUzI1NiJ9." + "Zm9vYmFyYmF6" * 100
    for end in range(30, 300):
        told = without(token, f"bad token {token}"[:end])
        assert told.startswith("bad token …")
        assert not any(token[at : at + 4] in told for at in range(30))


def test_a_short_secret_is_not_told_in_a_response_of_plain() -> None:
    assert without("geheim", "unknown: AG91dABnZWhlaW0=") == "unknown: …"
    assert without("geheim", "unknown: Password, username") == "unknown: Password, username"


def test_an_empty_secret_takes_nothing_away() -> None:
    assert without("", "as it is") == "as it is"
