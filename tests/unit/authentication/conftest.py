from collections.abc import Iterator
from datetime import timedelta

import pytest

from postroom.authentication.bounds import Bounded
from postroom.transports.dns import Resolver
from servers.dns import Dns, serving


@pytest.fixture
def dns() -> Iterator[Dns]:
    with serving() as server:
        yield server


@pytest.fixture
def resolver(dns: Dns) -> Bounded:
    return Bounded(Resolver(servers=dns.servers, timeout=timedelta(seconds=20)))


@pytest.fixture
def impatient(dns: Dns) -> Bounded:
    """For servers that do not answer."""
    return Bounded(Resolver(servers=dns.servers, timeout=timedelta(seconds=1)))
