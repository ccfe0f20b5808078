"""The servers that the IMAP source is tried on."""

import pytest

from servers.dovecot import Dovecot


@pytest.fixture(params=["full", "poor"])
def server(request: pytest.FixtureRequest) -> Dovecot:
    """Dovecot with all that it can, and with IMAP4rev1 only."""
    found: Dovecot = request.getfixturevalue("dovecot" if request.param == "full" else "poor_dovecot")
    return found
