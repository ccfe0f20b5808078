"""The transport of one configured server: its pool, its allowance, and one more try where a used session had ended."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from postroom.pipeline.outgoing import Mail, Reply
from postroom.transports.smtp.allowance import Allowance
from postroom.transports.smtp.pool import Pool
from postroom.transports.smtp.session import Session
from postroom.transports.smtp.terms import Terms
from postroom.transports.smtp.trouble import Closing, Trouble


@dataclass(frozen=True, kw_only=True)
class SmtpTransport:
    """SMTP or LMTP. `holds`: what may have been delivered is set aside."""

    terms: Terms
    connections: int = 4
    holds: bool = False
    allowance: Allowance | None = None
    patience: float | None = None  # as in Pool
    _pool: Pool = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_pool", Pool(lambda: Session.opened(self.terms), self.connections, self.patience))

    def prepare(self) -> bool:
        """Whether a session is up, or none would be waited for; else one begins to come up."""
        return self._pool.prepare()

    def send(self, mail: Mail) -> Mapping[str, Reply]:
        """One reply for each recipient. Raises Temporary where the server is away, busy, or at its limit."""
        if self.allowance is not None:
            self.allowance.take()
        return sent(self._pool, mail)

    def close(self) -> None:
        self._pool.close()


def sent(pool: Pool, mail: Mail) -> Mapping[str, Reply]:
    """One transaction over a session of the pool."""
    for _ in range(pool.limit):
        used = False
        try:
            with pool.session() as session:
                used = bool(session.used)
                replies = session.send(mail)
        except Trouble:
            # A server ends sessions that it finds too old; nobody got anything.
            if not used:
                raise
            continue
        if any(reply.code == 421 for reply in replies.values()):
            pool.leave_alone(Closing("the server says 421"))
        return replies
    with pool.session() as session:
        return session.send(mail)
