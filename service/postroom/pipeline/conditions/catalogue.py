"""What each field of `when` asks, in words: for the reference and for editors. The code that asks is in `compiling`."""

from dataclasses import dataclass
from typing import Final, Literal

Kind = Literal[
    "address",
    "text",
    "number",
    "size",
    "age",
    "time",
    "hours",
    "weekday",
    "truth",
    "attachment",
    "spam",
    "auth",
    "virus",
    "script",
]


@dataclass(frozen=True, slots=True)
class Entry:
    """A field, what kind of values it takes, what it asks about, and a `when` with it."""

    name: str
    kind: Kind
    text: str
    example: str


CATALOGUE: Final = (
    Entry("from", "address", "Who wrote it: the From field.", '{from: "*@example.com"}'),
    Entry("to", "address", "The To fields.", "{to: {detail: lists}}"),
    Entry("cc", "address", "The Cc fields.", "{cc: boss@example.com}"),
    Entry("reply-to", "address", "Where answers go: the Reply-To field.", "{reply-to: {exists: true}}"),
    Entry(
        "sender",
        "address",
        'The envelope\'s sender (reverse-path); "" is the null one, of bounces. The Sender field is `header.Sender`.',
        '{sender: ""}',
    ),
    Entry(
        "recipient", "address", "To, Cc, Bcc and the envelope's recipients.", '{recipient: {every: "*@example.com"}}'
    ),
    Entry("envelope-to", "address", "The envelope's recipients alone.", "{envelope-to: {local: [sales, info]}}"),
    Entry("subject", "text", "The subject, decoded.", '{subject: ["*invoice*", "/order (?P<number>[0-9]+)/"]}'),
    Entry(
        "body",
        "text",
        "The text, or the HTML as text where there is none; the first `limits: {match: …}` of it.",
        '{body: {contains: "unsubscribe"}}',
    ),
    Entry("header.<Name>", "text", "All fields of that name, decoded and unfolded.", '{header.X-Priority: "1"}'),
    Entry("list-id", "text", "The List-Id field without its angle brackets.", "{list-id: dev.lists.example.org}"),
    Entry("message-id", "text", "The Message-ID field.", '{message-id: "*@example.com>"}'),
    Entry("mailbox", "text", "The name of the mailbox that it came from, as in the settings.", "{mailbox: support}"),
    Entry("folder", "text", "The folder that it lies in.", '{folder: "INBOX"}'),
    Entry(
        "flags", "text", "The flags and keywords that it came with, as IMAP writes them.", "{flags: ['\\Seen', $Work]}"
    ),
    Entry("tag", "text", "Tags that earlier steps put on it.", "{tag: [urgent, customer]}"),
    Entry(
        "attachment",
        "attachment",
        "Any attachment: its file name, or `name`, `type` (as labelled or as the content shows) and `size` together.",
        '{attachment: {name: "*.pdf", type: application/pdf, size: "< 10MB"}}',
    ),
    Entry("attachments", "number", "How many attachments there are.", '{attachments: ">= 2"}'),
    Entry("size", "size", "The size of the whole message.", '{size: "> 10MB"}'),
    Entry("age", "age", "How long ago it arrived.", '{age: "> 30d"}'),
    Entry("date", "time", "Its Date field, which the sender wrote.", '{date: "< 2026-01-01"}'),
    Entry("received", "time", "When it arrived here.", '{received: ">= 2026-03-01T08:00, < 2026-04-01"}'),
    Entry("time", "hours", "The hour of its arrival, in the time zone of the settings.", '{time: "22:00-06:00"}'),
    Entry("weekday", "weekday", "The day of its arrival, likewise.", "{weekday: [sat, sun]}"),
    Entry(
        "spam",
        "spam",
        "What the step `spam` found: the score, or `score`, `verdict` and `symbol`.",
        '{spam: {score: ">= 6", verdict: spam, symbol: "BAYES_*"}}',
    ),
    Entry(
        "auth",
        "auth",
        "What the step `authenticate` found: `dkim`, `spf`, `dmarc`, `arc`, and the sender's `policy`.",
        "{auth: {dmarc: fail, policy: [quarantine, reject]}}",
    ),
    Entry(
        "virus",
        "virus",
        "What the step `virus` found: whether there is one, or `found` and `name`.",
        '{virus: {name: "*Phishing*"}}',
    ),
    Entry(
        "script",
        "script",
        "What a step `script` was answered: by its name, then by key.",
        '{script: {language: {code: de, certainty: "> 0.9"}}}',
    ),
    Entry("bulk", "truth", "Whether it was sent to many: a list, a newsletter, `Precedence: bulk`.", "{bulk: true}"),
    Entry("auto-submitted", "truth", "Whether a machine sent it (RFC 3834).", "{auto-submitted: false}"),
    Entry("bounce", "truth", "Whether it reports on a delivery.", "{bounce: true}"),
    Entry("encrypted", "truth", "Whether it is encrypted (S/MIME, PGP).", "{encrypted: true}"),
    Entry("signed", "truth", "Whether it bears a signature (S/MIME, PGP), sound or not.", "{signed: true}"),
    Entry("duplicate", "truth", "Whether the step `duplicate` has seen one like it.", "{duplicate: true}"),
)
