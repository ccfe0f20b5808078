"""SPF (RFC 7208): whether a domain lets a host send in its name."""

from postroom.authentication.spf.check import check

__all__ = ["check"]
