"""Who sent a message: DKIM, SPF, DMARC and ARC, verified here or read from what a trusted host has verified."""
