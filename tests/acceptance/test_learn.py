"""`postroom learn`, and what `explain` makes of it."""

import shutil
from pathlib import Path

import pytest

from postroom import testing

RULES = """\
name: main
rules:
  - {name: score, do: {spam: {scanner: bayes, tag-at: 5}}}
  - {name: junk, when: {spam: {verdict: spam}}, do: [{move: Junk}]}
"""


def offer(number: int) -> bytes:
    return testing.message(
        subject=f"cheap pills {number}", from_=f"s{number}@shop.example", text="buy cheap pills now at the best price"
    )


def letter(number: int) -> bytes:
    return testing.message(subject=f"minutes {number}", text="the minutes of our meeting with the agenda")


@pytest.fixture
def sorted_mail(site) -> Path:
    """Twenty messages of either kind: spam in a Maildir, ham in an mbox."""
    for name in ("new", "cur", "tmp"):
        (site.root / "junk" / name).mkdir(parents=True)
    for number in range(20):
        (site.root / "junk" / ("new" if number % 2 else "cur") / f"{number}.host").write_bytes(offer(number))
    mbox = b"".join(
        b"From ann@example.org Sun Mar  1 12:00:00 2026\n" + letter(n).replace(b"\r\n", b"\n") + b"\n"
        for n in range(20)
    )
    (site.root / "ham.mbox").write_bytes(mbox)
    site.pipeline(RULES)
    return site.root


def learned(site, *arguments: str) -> list[str]:
    done = site.run("learn", *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout.decode().splitlines()


def test_a_filter_is_taught_from_a_maildir_and_an_mbox(site, sorted_mail):
    told = learned(site, "--spam", f"{sorted_mail}/junk", "--ham", f"{sorted_mail}/ham.mbox")
    assert told == [
        f"{sorted_mail}/junk: 20 messages, 20 of them new as spam",
        f"{sorted_mail}/ham.mbox: 20 messages, 20 of them new as ham",
        "learned so far: 20 as spam, 20 as ham",
    ]
    assert site.run("filter", message=offer(100)).returncode == 0
    found = [path.read_bytes() for path in (site.store / ".Junk/new").iterdir()]
    assert len(found) == 1
    assert b"X-Spam-Flag: YES" in found[0]
    (site.root / "letter.eml").write_bytes(offer(100))
    explained = site.run("explain", str(site.root / "letter.eml")).stdout.decode()
    assert "bayes goes by" in explained
    assert "pills" in explained.partition("bayes goes by")[2]


def test_what_was_learned_is_not_counted_again(site, sorted_mail):
    learned(site, "--spam", f"{sorted_mail}/junk")
    told = learned(site, "--spam", f"{sorted_mail}/junk")
    assert told[:2] == [
        f"{sorted_mail}/junk: 20 messages, 0 of them new as spam",
        "learned so far: 20 as spam, 0 as ham",
    ]


def test_untrained_it_says_so_and_nothing_is_marked(site, sorted_mail):
    told = learned(site, "--ham", f"{sorted_mail}/ham.mbox")
    assert told[-1] == "that is too little to go by: 20 of either kind are needed"
    assert site.run("filter", message=offer(100)).returncode == 0
    found = [path.read_bytes() for path in (site.store / "new").iterdir()]
    assert len(found) == 1
    assert b"X-Spam" not in found[0]
    (site.root / "letter.eml").write_bytes(offer(100))
    assert (
        "bayes is untrained: it learned 0 messages as spam and 20 as ham"
        in site.run("explain", str(site.root / "letter.eml")).stdout.decode()
    )


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        ((), 2, "--spam"),
        (("--spam", "nowhere"), 1, "no such file or directory"),
        (("--spam", "nobody:Junk"), 1, "there are: none"),
        (("--spam", "stdin:Junk"), 1, "no such IMAP or Maildir mailbox"),
        (("--spam", ".", "--mailbox", "nobody"), 1, "no mailbox is called"),
    ],
)  # fmt: skip
def test_what_cannot_be_learned_from_is_said(site, sorted_mail, arguments, status, told):
    done = site.run("learn", *arguments)
    assert done.returncode == status
    assert told in done.stderr.decode()


def test_learned_words_that_are_damaged_are_said_and_left_as_they_are(site, sorted_mail):
    learned(site, "--spam", f"{sorted_mail}/junk", "--ham", f"{sorted_mail}/ham.mbox")
    [words] = [path for path in site.root.rglob("words") if path.parent.name == "site"]
    words.write_bytes(words.read_bytes()[:-1])
    done = site.run("learn", "--spam", f"{sorted_mail}/junk")
    assert done.returncode == 75
    assert site.filter(offer(100)).returncode == 75  # the message waits
    assert done.stderr.decode() == (
        f"postroom: {words}: this is no file of learned words, or a damaged one; remove the directory {words.parent} "
        "and learn anew\n"
    )
    shutil.rmtree(words.parent)
    assert learned(site, "--spam", f"{sorted_mail}/junk")[-2] == "learned so far: 20 as spam, 0 as ham"


def test_a_maildir_of_the_settings_is_named_with_its_folder(site, sorted_mail):
    site.settings(f'{{state: state, mailboxes: {{box: {{url: "maildir:{sorted_mail}/box", pipeline: main}}}}}}')
    (sorted_mail / "box").mkdir()
    (sorted_mail / "junk").rename(sorted_mail / "box/.Junk")
    assert learned(site, "--spam", "box:Junk")[0] == "box:Junk: 20 messages, 20 of them new as spam"
    assert site.run("learn", "--spam", "box:Else").returncode == 1
