"""Folders on an IMAP server (RFC 3501, RFC 9051) as a source.

From the wire upwards: `parser` cuts responses, `protocol` sends a command and gathers its answer, `connection` opens,
logs in and bounds, `folder` is one selected folder; `collecting`, `settling` and `reconciling` are what is done there.
"""
