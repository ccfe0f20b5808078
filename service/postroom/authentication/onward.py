"""Whether a message still passes DMARC once we have passed it on: SPF then speaks for us and no longer for its author,
so that a signature of DKIM has to (RFC 7960 §3.1)."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from postroom.authentication import dkim, dmarc
from postroom.authentication.bounds import Bounded
from postroom.authentication.dmarc import Policy
from postroom.authentication.signed import Signed
from postroom.authentication.tags import Malformed
from postroom.errors import Temporary
from postroom.message import Header, Message
from postroom.pipeline.resolving import Resolver
from postroom.pipeline.view import Auth

STRICT: Final = ("quarantine", "reject")


def failing(
    message: Message, above: Iterable[Header], auth: Auth | None, resolver: Resolver, at: datetime
) -> Policy | None:
    """What the author's domain asks receivers to do with it; None where they will not hear of it. `above`: fields that
    we put on top; `auth`: what is known already. Raises Temporary where the DNS does not say."""
    if (known := told(auth)) is not None:
        return None if known == "none" else known
    try:
        domain = dmarc.author(message)
    except Malformed:
        return None  # nobody can say whose policy it is
    bounded = Bounded(resolver)
    found = dmarc.look_up(domain, bounded)
    if found is None:
        return None
    record, below = found
    policy = record.below if below else record.policy
    if policy not in STRICT or not record.part:
        return None
    signed = Signed(message, bounded, above)
    return None if _speaks(signed, domain, bounded, at, strict=record.strict_dkim) else policy


def told(auth: Auth | None) -> Policy | None:
    """What earlier facts say without a look at the signatures: a policy that will be applied, `none` where there is
    nothing to apply; None where they do not say. What passed may have passed by SPF alone."""
    if auth is None:
        return None
    if auth.dmarc == "none" or auth.policy == "none":
        return "none"
    unsound = auth.dkim not in (None, "pass", "temperror")
    failed = auth.dmarc == "fail" and auth.dkim != "temperror"
    return auth.policy if failed or (auth.dmarc == "pass" and unsound) else None


def _speaks(signed: Signed, domain: str, resolver: Bounded, at: datetime, *, strict: bool) -> bool:
    """Whether a signature that is sound speaks for the author's domain."""
    unsure = False
    for _, verdict in dkim.verify(signed, resolver, at, lambda one: dmarc.aligned(one, domain, strict=strict)):
        if dmarc.aligned(verdict.domain, domain, strict=strict):
            if verdict.result == "pass":
                return True
            unsure = unsure or verdict.result == "temperror"
    if unsure:
        raise Temporary("the DNS does not say whether a signature of the author's domain is sound")
    return False
