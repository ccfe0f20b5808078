"""Maildir++ as a source: `source` watches, `collecting` brings in, `settling` puts away."""

from postroom.sources.maildir.source import MaildirSource

__all__ = ["MaildirSource"]
