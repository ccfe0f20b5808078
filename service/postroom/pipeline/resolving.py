"""What steps ask the DNS, whoever answers."""

from typing import Literal, Protocol, TypeVar

T_co = TypeVar("T_co", covariant=True)


class Found(Protocol[T_co]):
    """Records under a name; `exists` tells a name that has none of their kind from one that is not there."""

    @property
    def records(self) -> tuple[T_co, ...]: ...
    @property
    def exists(self) -> bool: ...


class Mx(Protocol):
    """A mail exchanger's host, lower case and without a final dot."""

    @property
    def host(self) -> str: ...


class Resolver(Protocol):
    """All methods raise Temporary where nobody can say."""

    def texts(self, name: str) -> Found[bytes]: ...
    def addresses(self, name: str, kind: Literal["A", "AAAA"]) -> Found[str]: ...
    def exchangers(self, name: str) -> Found[Mx]: ...
    def names(self, address: str) -> Found[str]: ...
