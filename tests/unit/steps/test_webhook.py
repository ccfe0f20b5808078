from typing import Any

import pytest
from pydantic import ValidationError

from postroom import steps, testing
from postroom.errors import Temporary
from postroom.pipeline.outcome import Effect, Note
from postroom.steps.signature import signed
from postroom.steps.webhook import WebhookEffect, WebhookStep


def step(url: str, **options: Any) -> WebhookStep:
    found = steps.step("webhook").model_validate({"url": url, **options})
    assert isinstance(found, WebhookStep)
    return found


def planned(url: str, raw: bytes | None = None, **options: Any) -> WebhookEffect:
    [made] = step(url, **options).plan(testing.view(raw), testing.tools())
    assert isinstance(made, Effect)
    again = steps.effect(made.word).model_validate_json(made.model_dump_json())
    assert again == made
    assert isinstance(again, WebhookEffect)
    return again


def test_the_signature_is_that_of_the_specification() -> None:
    """The example of the Standard Webhooks libraries."""
    told = signed(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", [b'{"test": ', b"2432232314}"]
    )  # fmt: skip
    assert told == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_secret_that_is_no_base64_is_told_without_the_secret() -> None:
    with pytest.raises(Temporary) as raised:
        signed("whsec_???", "a", "1", [])
    assert "???" not in str(raised.value)


@pytest.mark.parametrize(
    "url",
    ["https://{{ from.domain }}/", "https://{{ from.domain }}.example.com/", "https://example.com{{ subject }}"],
)  # fmt: skip
def test_a_host_from_a_message_needs_an_allow_list(url: str) -> None:
    with pytest.raises(ValidationError, match="allow"):
        step(url)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.com/", "example.com/hook", "{{ subject }}", "https://u:p@example.com/", "https://{{ from.domain }}",
        "https://exämple.com/", "https://example.com/a b", "https://example.com/\r\nX: y", "https:///{{ subject }}", "https://x:{{ size }}/", "",
    ],
    ids=repr,
)  # fmt: skip
def test_a_url_that_cannot_be_asked_is_an_error_of_check(url: str) -> None:
    with pytest.raises(ValidationError):
        step(url)


@pytest.mark.parametrize(
    "name", ["Host", "content-length", "Webhook-Id", "X Y", "X:Y", "", "X\r\nY", "Ü", "Transfer-Encoding"]
)
def test_a_header_that_is_ours_or_none_is_an_error_of_check(name: str) -> None:
    with pytest.raises(ValidationError):
        step("https://example.com/", headers={name: "x"})


@pytest.mark.parametrize(
    ("domain", "sent"),
    [
        ("hooks.example.com", True), ("HOOKS.example.COM", True), ("example.com", False), ("example.com.evil.test", False),
        ("evil.test", False), ("127.0.0.1", False),
    ],
)  # fmt: skip
def test_only_hosts_that_are_allowed_are_asked(domain: str, sent: bool) -> None:
    raw = testing.message(from_=f"ann@{domain}")
    view = testing.view(raw)
    [made] = step("https://{{ from.domain }}/mail", allow="*.example.com").plan(view, testing.tools())
    assert isinstance(made, WebhookEffect if sent else Note)
    if isinstance(made, Note):
        assert domain not in made.text


@pytest.mark.parametrize(
    "subject",
    ["../../admin", "a/b?c=d#e", "x\r\nHost: evil.test", "@evil.test", "%2e%2e", "ü \x00", "..", "a&b=c", "{{ 7*7 }}"],
    ids=repr,
)
def test_a_value_stays_one_component_of_the_url(subject: str) -> None:
    url = planned("https://example.com/a/{{ match.x }}/b?q={{ match.x }}").url
    assert url == "https://example.com/a//b?q="
    view = testing.view(match={"x": subject})
    [made] = step("https://example.com/a/{{ match.x }}/b?q={{ match.x }}").plan(view, testing.tools())
    assert isinstance(made, WebhookEffect)
    assert made.url.startswith("https://example.com/a/")
    path, _, query = made.url.partition("?")
    assert path.count("/") == 5
    assert path.endswith("/b")
    assert not set(query) & set("&#/ \r\n\0@")
    assert ".." not in path.split("/")


def test_a_value_cannot_add_a_header() -> None:
    made = planned(
        "https://example.com/", testing.message(subject="a\r\nX-Evil: 1"), headers={"X-Subject": "{{ subject }}"}
    )
    assert made.headers["X-Subject"].isprintable()


def test_the_target_shows_no_query_and_names_its_secrets() -> None:
    one = step("https://example.com/hook?key=abc", secret="helpdesk", token="bot")
    assert [(named.kind, named.name) for named in one.names()] == [("secret", "helpdesk"), ("secret", "bot")]
    made = planned("https://example.com/hook?key=abc", secret="helpdesk")
    assert made.target == "https://example.com/hook"
    assert not made.delivers
    assert made.repeatable
