"""The step `webhook`: a POST to a program that waits for messages, signed as Standard Webhooks says."""

import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, ClassVar, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from postroom.pipeline.globs import Glob
from postroom.pipeline.outcome import Effect, Letter, Note, Outcome, Receipt
from postroom.pipeline.step import Kind, Reference, Step
from postroom.pipeline.templates import HeaderTemplate, UrlTemplate
from postroom.pipeline.tools import Tools
from postroom.pipeline.view import View
from postroom.steps.form import Chunks, form
from postroom.steps.patterns import Globs, matches
from postroom.steps.payload import webhook_json
from postroom.steps.program import TimeLimit
from postroom.steps.secret import secret
from postroom.steps.signature import signed
from postroom.transports import http

_TOKEN: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_VALUE: Final = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)
_WITH_HOST: Final = re.compile(r"https?://[^/?#]+[/?#]")
_OURS: Final = frozenset({
    "host", "content-length", "content-type", "transfer-encoding", "connection", "expect", "upgrade", "te", "trailer",
    "idempotency-key", "webhook-id", "webhook-timestamp", "webhook-signature",
})  # fmt: skip


def _header(name: str) -> str:
    if not _TOKEN.fullmatch(name):
        raise ValueError("the name of an HTTP header is letters, digits and `-`")
    if name.lower() in _OURS:
        raise ValueError("this header is set by the step itself")
    return name


class WebhookEffect(Effect):
    """One POST. A receiver tells a second try by its id, so nothing is recorded before."""

    word: ClassVar[str] = "webhook"

    url: str
    send: Literal["json", "raw", "multipart"]
    secret: str | None
    token: str | None
    headers: Mapping[str, str]
    timeout: TimeLimit
    allow_private: bool
    tls_ca: str | None

    @property
    def target(self) -> str:
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}{parts.path}"

    def perform(self, letter: Letter, tools: Tools) -> Receipt:
        kind, chunks = _content(self.send, letter, tools)
        headers = {**self.headers, "Content-Type": kind, **self._signed(chunks, letter, tools)}
        if self.token is not None:
            headers["Authorization"] = f"Bearer {secret(self.token, tools)}"
        answer = http.post(
            http.Post(
                url=self.url,
                headers=headers,
                chunks=chunks,
                timeout=self.timeout,
                allow_private=self.allow_private,
                ca=tools.files / Path(self.tls_ca).expanduser() if self.tls_ca else None,
            )
        )
        answer.check()
        return Receipt(detail=f"answered with status {answer.status}")

    def _signed(self, chunks: Chunks, letter: Letter, tools: Tools) -> dict[str, str]:
        at = str(int(tools.clock().timestamp()))
        told = {"Idempotency-Key": f'"{letter.key}"', "Webhook-Id": letter.key, "Webhook-Timestamp": at}
        if self.secret is not None:
            signature = signed(secret(self.secret, tools), letter.key, at, chunks)
            told["Webhook-Signature"] = signature
        return told


class WebhookStep(Step):
    """Posts the message, as edited so far, to a URL. `send: json` is [this JSON](json.md#webhook), without the contents
    of attachments; `raw` is the message itself (`message/rfc822`); `multipart` is a form with the JSON as `message` and
    every attachment as `attachment`. With a `secret` it is signed as the [Standard
    Webhooks](https://www.standardwebhooks.com) specification says; a secret that begins with `whsec_` is base64, any
    other is taken as it is. `Webhook-Id` and `Idempotency-Key` are the same at a second try, which there is when the
    answer is lost: let the receiver look.

    2xx: done; 408, 425, 429, 5xx and no answer: tried again later, by `retry`, or when `Retry-After` says so (after a
    minute at the soonest); anything else, redirects too: failed for good. Of the answer only the status is kept. The
    message is kept as well unless a rule says otherwise.

    Values in the URL are percent-encoded. A host that comes from the message must be one of `allow`; private, loopback
    and link-local addresses are refused, whatever the name was, unless `allow-private` is true.

        - webhook: https://example.com/hooks/mail
        - webhook: {url: "https://example.com/hooks/{{ recipient.local }}", send: multipart, secret: helpdesk}
        - webhook: {url: "https://{{ from.domain }}/mail", allow: ["*.example.com"], headers: {X-Size: "{{ size }}"}}
    """

    word: ClassVar[str] = "webhook"
    kind: ClassVar[Kind] = "act"
    main: ClassVar[str | None] = "url"

    url: UrlTemplate = Field(description="Where to; `https://` or `http://`.")
    send: Literal["json", "raw", "multipart"] = Field(default="json", description="What the body is.")
    secret: str | None = Field(default=None, description="The name of the secret that signs.")
    token: str | None = Field(default=None, description="The name of a secret sent as `Authorization: Bearer …`.")
    headers: Mapping[Annotated[str, AfterValidator(_header)], HeaderTemplate] = Field(
        default={}, description="Further headers."
    )
    timeout: TimeLimit = Field(
        default=timedelta(seconds=30), description="For all of it; else `defaults: {timeout: …}` where that is set."
    )
    allow: Globs = Field(default=(), description="Globs of hosts, where the host comes from the message.")
    allow_private: bool = Field(
        default=False, alias="allow-private", description="Also to private, loopback and link-local addresses."
    )
    tls_ca: str | None = Field(
        default=None,
        alias="tls-ca",
        min_length=1,
        description="A file of certificates to trust; default: the system's.",
    )

    @model_validator(mode="after")
    def _askable(self) -> Self:
        source = self.url.source
        host = http.host_of(_VALUE.sub("x", source))
        named = self.url.constant or _WITH_HOST.match(self.url.literal)
        if not named and not self.allow:
            raise ValueError("the host comes from the message: say with `allow` which hosts may be asked")
        if named and self.allow:
            raise ValueError(f"`allow` is for hosts that come from the message; here it is always {host}")
        return self

    def names(self) -> Iterator[Reference]:
        for name in (self.secret, self.token):
            if name is not None:
                yield Reference("secret", name)

    def plan(self, view: View, tools: Tools) -> Iterator[Outcome]:
        url = self.url.render(view, tools)
        if self.allow and not self._allows(url):
            yield Note("webhook: nothing is sent, as the host that the message names is none of `allow`")
            return
        yield WebhookEffect(
            url=url,
            send=self.send,
            secret=self.secret,
            token=self.token,
            headers={name: value.render(view, tools) for name, value in self.headers.items()},
            timeout=self.timeout,
            allow_private=self.allow_private,
            tls_ca=self.tls_ca,
        )

    def _allows(self, url: str) -> bool:
        try:
            host = http.host_of(url)
        except ValueError:
            return False
        return matches(map(Glob, self.allow), host)


def _content(send: Literal["json", "raw", "multipart"], letter: Letter, tools: Tools) -> tuple[str, Chunks]:
    """The body and its media type."""
    match send:
        case "json":
            return "application/json", [webhook_json(letter, tools)]
        case "raw":
            return "message/rfc822", [letter.prefix, *letter.chunks]
        case "multipart":
            return form(letter, tools)
