"""A socket on which a mail server hands over messages: LMTP (RFC 2033), or SMTP (RFC 5321)."""
