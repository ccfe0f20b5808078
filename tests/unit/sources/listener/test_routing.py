"""Which way a recipient's mail goes."""

from typing import Any

import pytest
from pydantic import ValidationError

from postroom.message.address import parse_address
from postroom.settings.mailboxes import ListenerMailbox
from postroom.sources.listener.routing import Route, Routes


def routes(*recipients: dict[str, Any], **options: Any) -> Routes:
    given = {"url": "lmtp://127.0.0.1:24", "recipients": recipients, "store": "/srv/rest"} | options
    return Routes(ListenerMailbox.model_validate(given), "default")


def way(routes: Routes, recipient: str) -> Route | None:
    address = parse_address(recipient)
    assert address is not None
    return routes.find(address)


def test_the_first_entry_that_matches_wins_and_nobody_else_is_known() -> None:
    found = routes(
        {"to": "ann@example.com", "pipeline": "hers", "store": "/srv/ann"},
        {"to": "*@example.com", "store": "none"},
        {"to": "*@example.org", "pipeline": "org"},
        pipeline="mailbox",
    )
    assert way(found, "ann@example.com") == Route("hers", "/srv/ann")
    assert way(found, "bob@example.com") == Route("mailbox", None)
    assert way(found, "bob@example.org") == Route("org", "/srv/rest")
    assert way(found, "bob@example.net") is None
    assert way(found, "postmaster") is None


def test_where_nothing_names_a_pipeline_the_default_is_taken() -> None:
    assert way(routes({"to": "*"}), "x@y.example") == Route("default", "/srv/rest")


def test_case_makes_no_difference_neither_for_the_match_nor_for_the_store() -> None:
    found = routes({"to": "*@Example.com", "store": "/srv/{{ recipient.domain }}/{{ recipient.local }}"})
    assert way(found, "Ann@EXAMPLE.com") == way(found, "ann@example.com") == Route("default", "/srv/example.com/ann")


@pytest.mark.parametrize(
    "recipient",
    [
        '".."@example.com',
        '"../../etc"@example.com',
        '"a/b"@example.com',
        '"/"@example.com',
        '"."@example.com',
        '"~"@example.com',
    ],
)
def test_no_recipient_leads_out_of_the_root(recipient: str) -> None:
    found = way(routes({"to": "*", "store": "/srv/mail/{{ recipient.local }}"}), recipient)
    assert found is not None
    assert found.store is not None
    root, _, segment = found.store.rpartition("/")
    assert root == "/srv/mail"
    assert segment not in ("", ".", "..")


def test_an_internationalised_domain_matches_by_its_a_label() -> None:
    found = routes({"to": "*@xn--bcher-kva.example"})
    assert way(found, "ann@bücher.example") is not None


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"store": "/srv/{{ recipient.locl }}"}, "did you mean `local`"),
        ({"store": "/srv/{{ subject }}"}, "recipient alone"),
        ({"store": "/srv/{{ recipient.local }}/../x"}, "`..` cannot stand behind a value"),
        ({"store": "/srv/{{ recipient.local"}, "Value error"),
        ({"to": "ann\\"}, "single"),
    ],
    ids=["misspelt attribute", "another value", "way out", "not closed", "glob"],
)
def test_a_bad_entry_is_an_error_of_the_settings(options: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        routes({"to": "*"} | options)
