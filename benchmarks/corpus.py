"""Deterministic corpus of realistic messages: the same N, flags and seed give the same bytes.

Mix (default): 60% 3-8 KB text+html, 25% 20-80 KB html + inline image,
12% 200 KB-1 MB with one attachment, 3% about 5 MB with one attachment.
--small: every message is about 4 KB.
"""

import argparse
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.header import Header
from email.mime.application import MIMEApplication
from email.mime.image import MIMEImage
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from email.policy import SMTP
from email.utils import format_datetime, formataddr
from pathlib import Path

SEED = 20240501
WORDS = {
    "utf-8": [
        "the",
        "order",
        "meeting",
        "report",
        "zażółć",
        "naïve",
        "fiancée",
        "überblick",
        "déjà",
        "résumé",
        "quarter",
        "budget",
        "please",
        "review",
        "attached",
        "status",
        "update",
        "customer",
        "regards",
        "café",
        "señor",
        "smörgåsbord",
    ],
    "iso-8859-1": [
        "the",
        "order",
        "meeting",
        "report",
        "naïve",
        "fiancée",
        "überblick",
        "déjà",
        "résumé",
        "quarter",
        "budget",
        "please",
        "review",
        "attached",
        "status",
        "update",
        "customer",
        "regards",
        "café",
        "señor",
        "smörgåsbord",
    ],
    "iso-2022-jp": [
        "会議",
        "報告",
        "注文",
        "請求書",
        "確認",
        "お願い",
        "します",
        "今日",
        "明日",
        "予算",
        "the",
        "report",
        "update",
        "です",
    ],
}
SPAM_WORDS = ["viagra", "lottery winner", "click here now", "cheap meds"]
SENDERS = [
    ("Renée Müller", "renee@corp.example"),
    ("My Bank", "notify@bank.example"),
    ("Shop", "orders@shop.example"),
    ("山田太郎", "yamada@corp.example"),
    ("Jane Doe", "jane@home.example"),
    ("Builder", "ci@build.example"),
]
LISTS = ["dev.lists.example.org", "users.lists.example.org", "announce.lists.example.org"]
KINDS = ["text"] * 60 + ["inline"] * 25 + ["attach"] * 12 + ["huge"] * 3


def _words(rng: random.Random, charset: str, size: int) -> str:
    """About `size` encoded bytes of text, in lines of twelve words."""
    vocabulary = WORDS[charset]
    out, done = [], 0
    while done < size:
        line = " ".join(rng.choices(vocabulary, k=12))
        out.append(line)
        done += len(line.encode(charset)) + 1
    return "\n".join(out) + "\n"


def message(index: int, small: bool = False, seed: int = SEED) -> bytes:
    """One message with CRLF line ends."""
    rng = random.Random(f"{seed}/{index}/{small}")
    charset = rng.choices(list(WORDS), weights=[70, 20, 10])[0]
    kind = "text" if small else KINDS[(index * 37) % 100]
    boundaries = (f"=_{rng.getrandbits(96):024x}" for _ in iter(int, 1))

    text_size = 1000 if small else rng.randint(800, 2200)
    body = _words(rng, charset, text_size)
    if rng.random() < 0.08:
        body += rng.choice(SPAM_WORDS) + "\n"
    html = f"<html><body><h1>Hello</h1><p>{body.replace(chr(10), '<br>' + chr(10))}</p></body></html>"
    msg = MIMEMultipart("alternative", boundary=next(boundaries))
    msg.attach(MIMEText(body, "plain", charset))
    msg.attach(MIMEText(html, "html", charset))

    if kind == "inline":
        related = MIMEMultipart("related", boundary=next(boundaries))
        image = MIMEImage(rng.randbytes(rng.randint(12_000, 56_000)), "png")
        image["Content-ID"] = "<img1@corp.example>"
        image["Content-Disposition"] = 'inline; filename="logo.png"'
        related.attach(msg)
        related.attach(image)
        msg = related
    elif kind in ("attach", "huge"):
        low, high = (150_000, 750_000) if kind == "attach" else (3_600_000, 3_800_000)
        mixed = MIMEMultipart("mixed", boundary=next(boundaries))
        document = MIMEApplication(b"%PDF-1.7\n" + rng.randbytes(rng.randint(low, high)), "pdf")
        document["Content-Disposition"] = f'attachment; filename="document-{index}.pdf"'
        mixed.attach(msg)
        mixed.attach(document)
        msg = mixed

    name, address = rng.choice(SENDERS)
    subject = " ".join(rng.choices(WORDS[charset], k=5))
    tag = ""
    if index % 10 == 0:
        tag = "[invoice] "
    elif rng.random() < 0.05:
        tag = "Newsletter: "
    elif rng.random() < 0.05:
        tag = rng.choice(SPAM_WORDS) + " "
    when = datetime(2024, 5, 1, tzinfo=UTC) + timedelta(minutes=index)
    stamp = format_datetime(when)
    token = f"{rng.getrandbits(64):016x}"
    headers = [
        ("Return-Path", f"<{address}>"),
        (
            "Received",
            f"from mx{index % 4}.example (mx{index % 4}.example [192.0.2.{index % 250}])\r\n"
            f"\tby in.corp.example with ESMTPS id {token}; {stamp}",
        ),
        (
            "Received",
            f"from localhost (localhost [127.0.0.1])\r\n"
            f"\tby mx{index % 4}.example with ESMTP id {token[::-1]}; {stamp}",
        ),
        (
            "DKIM-Signature",
            "v=1; a=rsa-sha256; c=relaxed/relaxed; d=corp.example; s=s1;\r\n"
            f"\th=from:to:subject:date; bh={token}=;\r\n\tb={token * 6}",
        ),
        ("From", formataddr((name, address), charset="utf-8")),
        ("To", rng.choice(["me@corp.example", "support@corp.example", "Team <team@corp.example>"])),
        ("Subject", tag + Header(subject, charset).encode()),
        ("Date", stamp),
        ("Message-ID", f"<{index}.{token}@corp.example>"),
        ("X-Mailer", "bench corpus"),
    ]
    if rng.random() < 0.25:
        list_id = rng.choice(LISTS)
        headers += [
            ("List-Id", f"A list <{list_id}>"),
            ("Precedence", "list"),
            ("List-Unsubscribe", f"<mailto:leave@{list_id}>"),
        ]
    if rng.random() < 0.05:
        headers.append(("X-Spam-Flag", "YES"))
    head = "".join(f"{key}: {value}\r\n" for key, value in headers).encode("ascii")
    return head + msg.as_bytes(policy=SMTP.clone(cte_type="7bit"))


def messages(count: int, small: bool = False, seed: int = SEED) -> Iterator[bytes]:
    for index in range(count):
        yield message(index, small, seed)


def write(directory: Path, count: int, small: bool = False, seed: int = SEED) -> list[Path]:
    """Write the corpus as LF files named as Dovecot would (S= size, W= CRLF size)."""
    directory.mkdir(parents=True, exist_ok=True)
    paths = []
    for index, crlf in enumerate(messages(count, small, seed)):
        raw = crlf.replace(b"\r\n", b"\n")
        path = directory / f"{1714521600 + index}.M{index}P1.bench,S={len(raw)},W={len(crlf)}"
        path.write_bytes(raw)
        paths.append(path)
    return paths


def sized(size: int) -> bytes:
    """One LF message of about `size` bytes whose header matches no rule, for per-message timing."""
    rng = random.Random(size)
    msg = MIMEMultipart("mixed", boundary="=_sized")
    msg["From"], msg["To"] = "jane@home.example", "me@corp.example"
    msg["Subject"], msg["Message-ID"] = "quarterly report", f"<{size}@home.example>"
    msg.attach(MIMEText(_words(rng, "utf-8", 2500), "plain", "utf-8"))
    if size > 8000:
        msg.attach(MIMEApplication(rng.randbytes(int((size - 4500) * 0.74)), "pdf"))
    return msg.as_bytes()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("directory", type=Path)
    parser.add_argument("-n", "--count", type=int, default=500)
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--seed", type=int, default=SEED)
    options = parser.parse_args()
    written = write(options.directory, options.count, options.small, options.seed)
    total = sum(path.stat().st_size for path in written)
    print(f"{len(written)} messages, {total / 1e6:.1f} MB, mean {total / len(written) / 1e3:.1f} KB")
