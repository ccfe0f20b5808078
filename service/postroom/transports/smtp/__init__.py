"""Mail to servers over SMTP and LMTP: raw bytes out, one reply for each recipient, connections used again."""
