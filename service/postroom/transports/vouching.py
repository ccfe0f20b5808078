"""Whether a domain itself signed a message (DKIM, RFC 6376), so that what comes back to it is no backscatter."""

from collections.abc import Callable, Sequence
from typing import Final

from postroom.errors import Temporary
from postroom.transports.dns import Resolver

MOST: Final = 5  # signatures that are looked at


def vouched(chunks: Sequence[bytes | memoryview], domain: str, resolver: Resolver) -> bool:
    """Whether a signature of this domain, or of one above it, holds. Raises Temporary where the DNS does not say."""
    from dkim import DKIM, DKIMException

    raw = b"".join(chunks).replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    silent: list[Temporary] = []
    lookup = _lookup(resolver, silent)
    for number in range(MOST):
        try:
            signed = DKIM(raw)
            if signed.verify(idx=number, dnsfunc=lookup) and _is_above(
                signed.domain.decode("ascii", "replace"), domain
            ):
                return True
        except IndexError:
            break
        except (DKIMException, ValueError, TypeError):
            continue  # a signature that cannot be read proves nothing
    if silent:
        raise silent[0]
    return False


def _is_above(signer: str, domain: str) -> bool:
    signer, domain = signer.lower().rstrip("."), domain.lower()
    return "." in signer and (domain == signer or domain.endswith(f".{signer}"))


def _lookup(resolver: Resolver, silent: list[Temporary]) -> Callable[..., bytes | None]:
    def text(name: bytes | str, timeout: int = 5) -> bytes | None:
        asked = name.decode("ascii", "replace") if isinstance(name, bytes) else name
        try:
            return next(iter(resolver.texts(asked).records), None)
        except Temporary as error:
            silent.append(error)
            return None

    return text
