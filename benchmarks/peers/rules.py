"""Ten rules on header fields, the first that holds wins, as each peer writes them; ours: pipelines/procmail-style.yaml."""

RULES = (  # header, text that it contains in any case, folder
    ("X-Spam-Flag", "YES", "Junk"),
    ("Subject", "[invoice]", "Invoices"),
    ("List-Id", "dev.lists", "ListDev"),
    ("List-Id", "users.lists", "ListUsers"),
    ("List-Id", "announce.lists", "ListAnnounce"),
    ("From", "@bank.example", "Bank"),
    ("From", "@shop.example", "Shop"),
    ("To", "support@", "Support"),
    ("Subject", "newsletter", "News"),
    ("Subject", "viagra", "Junk"),
)


def sieve() -> str:
    """For Pigeonhole."""
    branches = " els".join(
        f'if header :contains "{header}" "{text}" {{\n  fileinto :create "{folder}";\n}}'
        for header, text, folder in RULES
    )
    return f'require ["fileinto", "mailbox"];\n{branches}\n'


def procmailrc(maildir: str) -> str:
    """For procmail."""
    recipes = "".join(
        f":0\n* ^{header}:.*{text.replace('[', chr(92) + '[').replace(']', chr(92) + ']').replace('.', chr(92) + '.')}\n"
        f".{folder}/\n\n"
        for header, text, folder in RULES
    )
    return f"MAILDIR={maildir}\nDEFAULT={maildir}/\nLOGABSTRACT=no\nVERBOSE=no\n\n{recipes}"
