"""What TLS towards a mail server trusts: the same for mail that comes and mail that goes."""

from postroom.transports.tls import context_of

__all__ = ["context_of"]
