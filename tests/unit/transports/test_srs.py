from datetime import UTC, datetime, timedelta

import pytest

from postroom.errors import Permanent
from postroom.transports.srs import Srs

NOW = datetime(2026, 3, 1, tzinfo=UTC)
OURS = Srs(domain="ours.example", secrets=[b"new", b"old"])


@pytest.mark.parametrize(
    "sender",
    [
        "ann@example.org",
        "Ann=x+y@Example.ORG",
        '"a b"@example.org',
        "srs0x@example.org",
        "SRS@example.org",
        "a=b=c@d.example",
    ],
)
def test_a_rewritten_sender_comes_back(sender: str) -> None:
    made = OURS.rewritten(sender, NOW)
    assert made.startswith("SRS0=")
    assert made.endswith("@ours.example")
    assert OURS.reversed(made, NOW) == sender


def test_a_rewritten_sender_has_the_form_that_others_write() -> None:
    made = Srs(domain="ours.example", secrets=[b"tops3cr3t"]).rewritten("ann@example.org", NOW)
    assert made.split("=", 2)[0] == "SRS0"
    assert made.endswith("=example.org=ann@ours.example")


@pytest.mark.parametrize(
    "sender", ["SRS0=abcd=AB=example.org=ann@first.example", "srs0+ABcd+x=AB=example.org=ann@first.example"]
)
def test_what_was_forwarded_before_comes_back_to_the_first_forwarder(sender: str) -> None:
    made = OURS.rewritten(sender, NOW)
    assert made.startswith("SRS1=")
    assert OURS.reversed(made, NOW) == "SRS0" + sender[4:]


def test_the_third_forwarder_skips_the_second() -> None:
    second = OURS.rewritten("SRS0=abcd=AB=example.org=ann@first.example", NOW)
    third = Srs(domain="third.example", secrets=[b"x"])
    made = third.rewritten(second, NOW)
    assert "ours.example" not in made
    assert third.reversed(made, NOW) == "SRS0=abcd=AB=example.org=ann@first.example"


@pytest.mark.parametrize("sender", ["", "ann@ours.example", "Ann@OURS.example"])
def test_a_bounce_and_a_sender_of_ours_stay_as_they_are(sender: str) -> None:
    assert OURS.rewritten(sender, NOW) == sender


def test_an_older_secret_is_still_taken() -> None:
    old = Srs(domain="ours.example", secrets=[b"old"])
    assert OURS.reversed(old.rewritten("ann@example.org", NOW), NOW) == "ann@example.org"
    with pytest.raises(Permanent):
        old.reversed(OURS.rewritten("ann@example.org", NOW), NOW)


@pytest.mark.parametrize("change", [str.lower, str.upper])
def test_servers_on_the_way_may_change_the_case_of_letters(change: object) -> None:
    made = OURS.rewritten("ann@example.org", NOW)
    assert callable(change)
    assert str(OURS.reversed(change(made), NOW)).lower() == "ann@example.org"


def test_a_return_path_is_good_for_three_weeks() -> None:
    made = OURS.rewritten("ann@example.org", NOW)
    assert OURS.reversed(made, NOW + timedelta(days=21)) == "ann@example.org"
    with pytest.raises(Permanent, match="too old"):
        OURS.reversed(made, NOW + timedelta(days=22))
    with pytest.raises(Permanent, match="too old"):
        OURS.reversed(made, NOW - timedelta(days=2))


@pytest.mark.parametrize(
    "forged",
    [
        "SRS0=AAAA=AB=example.org=ann@ours.example",
        "SRS0=\u00e9\u00e9\u00e9\u00e9=AB=example.org=ann@ours.example",
        "SRS1=AAAA=first.example==abcd=AB=example.org=ann@ours.example",
    ],
)
def test_a_forged_return_path_goes_nowhere(forged: str) -> None:
    with pytest.raises(Permanent, match="not one of ours"):
        OURS.reversed(forged, NOW)


@pytest.mark.parametrize(
    "address", ["bob@ours.example", "SRS0=@ours.example", "SRS0=AAAA=AB=example.org=ann@theirs.example"]
)
def test_what_is_no_return_path_of_ours_is_none(address: str) -> None:
    assert OURS.reversed(address, NOW) is None
