"""The step `authenticate`: who sent a message, as far as that can be known."""

from collections.abc import Iterator
from typing import ClassVar, Literal

from pydantic import Field

from postroom.authentication import results
from postroom.errors import Temporary
from postroom.pipeline.hosts import hosts
from postroom.pipeline.outcome import Fact, Note, Outcome
from postroom.pipeline.resolving import Resolver
from postroom.pipeline.step import Kind, Step
from postroom.pipeline.tools import Tools
from postroom.pipeline.view import Facts, View
from postroom.steps.origin import origin, written_on_top
from postroom.steps.scanning import asking
from postroom.steps.trust import written


class AuthenticateStep(Step):
    """Finds out who sent a message; the field `auth` asks for `dkim`, `spf`, `dmarc`, `arc`, each a word of RFC 8601:
    `pass` `fail` `softfail` `neutral` `none` `policy` `temperror` `permerror`; and for `policy`, what the From field's
    domain asks for where `dmarc` is `fail`.

    `dns` verifies DKIM (RFC 6376, Ed25519 of RFC 8463; of eight signatures one that passes is enough), SPF (RFC 7208),
    DMARC (RFC 7489, with the public suffix list) and ARC (RFC 8617) itself. Put it before steps that change the
    message. DKIM is `policy` where a signature is not accepted: a key below 1024 bits, SHA-1, an expired one, one that
    leaves part of the body unsigned (`l=`). SPF needs the client's address: of our own listener, or from the Received
    field of the trust line (`trust: hosts`); else it is `none`. ARC `pass` says that the chain is whole, not that its
    sealers are to be believed. DMARC is `permerror` where there is not one From field with one domain: ask for that,
    too, where you ask for `fail`. Time and questions are bounded for each method. A domain whose own servers do not
    answer is `temperror`; where our resolver answers nothing at all the message waits (`on-error: later`), or goes
    on with `temperror` (`pass`).

    `headers` believes what another host found and wrote into Authentication-Results (RFC 8601) or, sealing, into
    ARC-Authentication-Results (RFC 8617), where it names itself as the settings do (`trust: authserv-id`) and only
    above the trust line; of several fields that tell of a method the topmost counts. Where there is nothing to believe
    the answer is unknown. [Settings](settings.md#whose-header-lines-are-believed) show this for large providers, and
    for hosts that write their results below their own Received field (`trust: below`).

        - authenticate: dns
        - authenticate: {from: dns, on-error: pass}
        - authenticate: headers
    """

    word: ClassVar[str] = "authenticate"
    kind: ClassVar[Kind] = "scan"
    main: ClassVar[str | None] = "from"

    from_: Literal["dns", "headers"] = Field(
        alias="from", description="`dns`: verify it here; `headers`: believe what a host of ours has verified."
    )
    on_error: Literal["later", "pass"] = Field(
        default="later",
        alias="on-error",
        description="Where our resolver is away the message waits, or goes on; `headers` never asks.",
    )

    def plan(self, view: View, tools: Tools) -> Iterator[Outcome]:
        if tools.given is not None and tools.given.auth is not None:
            yield Fact(Facts(auth=tools.given.auth))
        elif self.from_ == "headers":
            yield from _upstream(view, tools)
        elif tools.given is None:  # a pipeline's own tests never leave the process
            yield from self._verified(view, tools)

    def gives(self) -> frozenset[str]:
        return frozenset({"auth"})

    def _verified(self, view: View, tools: Tools) -> Iterator[Outcome]:
        from postroom.authentication.examine import examine

        resolver = tools.resolver()
        came = origin(view.message, view.prefix, view.envelope.sender, tools.trust)
        found = examine(view, came, resolver)
        if found.unanswered:
            try:
                with asking("dns", tools):
                    _ask_anything(resolver, tools)
            except Temporary:
                if self.on_error == "later":
                    raise
        yield from map(Note, found.told())
        yield Fact(Facts(auth=found.auth))


def _upstream(view: View, tools: Tools) -> Iterator[Outcome]:
    """What trusted fields say."""
    believed = (
        written(header, results.LONGEST)
        for header in written_on_top(view.message, view.prefix, tools.trust)
        if header.name.lower() in results.FIELDS
    )
    auth = results.read(believed, hosts(tools.trust.authserv_id))
    if auth is None:
        yield Note("auth is unknown: no field of a trusted authserv-id above the trust line tells")
    else:
        yield Fact(Facts(auth=auth))


def _ask_anything(resolver: Resolver, tools: Tools) -> None:
    """Raises Temporary where nothing is answered. A name below `invalid` (RFC 6761) that nobody asked for before is
    answered by the resolver itself."""
    try:
        resolver.texts(f"{int(tools.clock().timestamp() * 1_000_000):x}.invalid")
    except Temporary as error:
        raise Temporary(f"authenticate: {error}") from None
