"""POP3 as a source: `source` visits a mailbox, `client` speaks, `fetching` brings in, `settling` removes."""
