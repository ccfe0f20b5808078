"""Who stands for the sender of a message: without anybody, a report to it would be spam of our making."""

from collections.abc import Iterator

from postroom.authentication import dkim, dmarc, results, spf
from postroom.authentication.bounds import Bounded
from postroom.authentication.signed import Signed
from postroom.authentication.verdict import Verdict
from postroom.errors import Temporary
from postroom.pipeline.hosts import hosts
from postroom.pipeline.outcome import Letter
from postroom.pipeline.tools import Tools
from postroom.steps.origin import origin, written_on_top
from postroom.steps.trust import written


def vouched(letter: Letter, sender: str, tools: Tools) -> bool:
    """Whether a host of ours found out when the message came, or the sender's own domain signed it (DKIM), or lets the
    client send in its name (SPF). Raises Temporary where the DNS does not say."""
    domain = _ascii(sender.rpartition("@")[2].lower())
    if any(_speaks(one, domain) for one in _found(letter, tools)):
        return True
    asked = [one.result for one in _asked(letter, sender, domain, tools)]
    if "pass" in asked:
        return True
    if "temperror" in asked:
        raise Temporary("the DNS does not say whether the sender is who it says")
    return False


def _found(letter: Letter, tools: Tools) -> Iterator[str]:
    """Domains for which hosts of ours say that they found it."""
    fields = written_on_top(letter.message, letter.prefix, tools.trust)
    believed = [written(one, results.LONGEST) for one in fields if one.name.lower() in results.FIELDS]
    return results.senders(believed, hosts(tools.trust.authserv_id))


def _asked(letter: Letter, sender: str, domain: str, tools: Tools) -> Iterator[Verdict]:
    """What is found now that speaks for the domain. Each method has its own bounds."""
    resolver = tools.resolver()
    bounded = Bounded(resolver)
    signed = Signed(letter.message, bounded)
    for _, one in dkim.verify(signed, bounded, letter.received, lambda named: _speaks(named, domain)):
        if _speaks(one.domain, domain):
            yield one
    came = origin(letter.message, letter.prefix, sender, tools.trust)
    if came.address:
        yield spf.check(came.address, came.helo, sender, Bounded(resolver))


def _speaks(one: str, domain: str) -> bool:
    return dmarc.aligned(one, domain, strict=False)


def _ascii(domain: str) -> str:
    try:
        return domain if domain.isascii() else domain.encode("idna").decode()
    except UnicodeError:
        return ""
