"""Learning from folders on Dovecot: each message once, and what was moved out of Junk anew."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from postroom import testing
from postroom.bayes.learner import Learner
from postroom.bayes.words import Words
from postroom.errors import Temporary
from postroom.lessons import Folder, learn_from
from postroom.message import parse
from servers import accounts
from servers.dovecot import Dovecot
from waiting import until

ROOT = Path(__file__).parents[2]


def offer(number: int) -> bytes:
    return testing.message(
        subject=f"cheap pills {number}", text=f"buy cheap pills {number}", message_id=f"<{number}@example.org>"
    )


def letter(number: int) -> bytes:
    return testing.message(
        subject=f"minutes {number}", text=f"minutes of the meeting {number}", message_id=f"<l{number}@example.org>"
    )


@pytest.mark.parametrize("poor", [False, True], ids=["with all", "with IMAP4rev1 alone"])
def test_a_folder_is_read_once_and_what_was_moved_out_of_junk_is_ham_then(
    dovecot: Dovecot, poor_dovecot: Dovecot, user: str, tmp_path: Path, poor: bool
) -> None:
    server = poor_dovecot if poor else dovecot
    for number in range(3):
        server.append(user, offer(number), folder="Junk")
    account = accounts.plain(server.imap, user)
    junk, inbox = (Folder("mine", account, name, tmp_path / "places.json") for name in ("Junk", "INBOX"))
    with Learner(tmp_path) as learner:
        assert taught(learner, junk, spam=True) == (3, 3)
        assert (learner.spam, learner.ham) == (3, 0)
        assert taught(learner, junk, spam=True) == (0, 0)
        with server.client(user, "Junk") as client:
            assert client.uid("FETCH", "1:*", "(FLAGS)")[1][0].find(b"Seen") == -1
            client.copy("1", "INBOX")
            client.store("1", "+FLAGS", r"(\Deleted)")
            client.expunge()
        server.append(user, offer(3), folder="Junk")
        assert taught(learner, junk, spam=True) == (1, 1)
        assert taught(learner, inbox, spam=False) == (1, 1)
        assert (learner.spam, learner.ham) == (3, 1)


def test_what_people_sort_is_learned_where_the_filter_would_have_erred(
    dovecot: Dovecot, user: str, tmp_path: Path
) -> None:
    account = accounts.plain(dovecot.imap, user, learn={"spam": ["Junk"], "ham": ["INBOX"]})
    dovecot.append(user, offer(1000), folder="Junk")

    def learned() -> int:
        return learn_from("mine", account, tmp_path, lambda: False)

    assert learned() == 0  # what lay there before is left to `postroom learn`
    with Learner(tmp_path) as learner:
        for number in range(20):
            learner.learn(parse(offer(number)), spam=True)
            learner.learn(parse(letter(number)), spam=False)
    dovecot.append(user, offer(1001), folder="Junk")
    assert learned() == 0  # it knows that
    dovecot.append(user, letter(1001), folder="Junk")
    dovecot.append(user, offer(1002))
    assert learned() == 2
    assert learned() == 0
    with Learner(tmp_path) as learner:
        assert (learner.spam, learner.ham) == (21, 21)


def test_the_running_service_learns_what_is_moved_into_junk(dovecot: Dovecot, user: str, tmp_path: Path) -> None:
    (tmp_path / "pipelines").mkdir()
    (tmp_path / "pipelines/main.yaml").write_text("rules: [{name: all, do: [keep]}]")
    (tmp_path / "postroom.yaml").write_text(
        f"state: state\nmetrics: {{listen: none}}\nmailboxes: {{box: {{url: 'imap://127.0.0.1:{dovecot.imap}', user: {user}, "
        "password: secret, tls: off, pipeline: main, learn: {every: 1s}}}\n"
    )
    with subprocess.Popen(
        [sys.executable, "-m", "postroom", "run", "--config", str(tmp_path / "postroom.yaml")]
    ) as service:
        try:
            places = tmp_path / "state/bayes/site/places.json"
            until(lambda: places.exists() and "box:INBOX" in places.read_text())
            dovecot.append(user, offer(1), folder="Junk")
            words = tmp_path / "state/bayes/site/words"
            until(lambda: (found := Words.read(words)) is not None and found.spam == 1)
        finally:
            service.terminate()
        assert service.wait(60) == 0


def test_the_two_commands_of_the_readme_teach_from_ones_own_junk(dovecot: Dovecot, user: str, tmp_path: Path) -> None:
    readme = (ROOT / "README.md").read_text()
    [learn, explain] = re.search(r"```text\n(postroom learn .*?)```", readme, re.DOTALL)[1].splitlines()  # type: ignore[index]
    shutil.copytree(ROOT / "pipelines", tmp_path / "pipelines")
    (tmp_path / "postroom.yaml").write_text(
        f"state: state\nmailboxes: {{mine: {{url: 'imap://127.0.0.1:{dovecot.imap}', user: {user}, "
        "password: secret, tls: off, pipeline: spam}}\n"
    )
    dovecot.append(user, *map(offer, range(25)), folder="Junk")
    dovecot.append(user, *map(letter, range(25)))
    with dovecot.client(user) as client:
        client.create("Archive")
    (tmp_path / "message.eml").write_bytes(offer(1000))

    def run(command: str) -> str:
        arguments = [sys.executable, "-m", *command.split()]
        done = subprocess.run(arguments, cwd=tmp_path, capture_output=True, text=True, check=True, timeout=120)
        return done.stdout

    assert "bayes is untrained" in run(explain)
    assert run(learn).splitlines() == [
        "mine:Junk: 25 messages, 25 of them new as spam",
        "mine:INBOX: 25 messages, 25 of them new as ham",
        "mine:Archive: 0 messages, 0 of them new as ham",
        "learned so far: 25 as spam, 25 as ham",
    ]
    told = run(explain)
    assert "bayes goes by" in told
    assert "move Junk" in told
    assert run(learn).splitlines()[-1] == "learned so far: 25 as spam, 25 as ham"


def test_learning_ends_when_it_is_told_to(dovecot: Dovecot, user: str, tmp_path: Path) -> None:
    account = accounts.plain(dovecot.imap, user, learn={})
    assert learn_from("mine", account, tmp_path, lambda: False) == 0
    dovecot.append(user, offer(1))
    with pytest.raises(Temporary, match="stopped"):
        learn_from("mine", account, tmp_path, lambda: True)
    assert learn_from("mine", account, tmp_path, lambda: False) == 1


def test_a_crash_before_what_was_read_is_kept_reads_it_again(dovecot: Dovecot, user: str, tmp_path: Path) -> None:
    dovecot.append(user, offer(1), folder="Junk")
    folder = Folder("mine", accounts.plain(dovecot.imap, user), "Junk", tmp_path / "places.json")

    def crash() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        folder.teach(lambda _: None, lambda _: None, crash)
    with Learner(tmp_path) as learner:
        assert taught(learner, folder, spam=True) == (1, 1)


def taught(learner: Learner, folder: Folder, *, spam: bool) -> tuple[int, int]:
    """How many were read, and how many of them were new."""
    seen: list[bool] = []
    folder.teach(lambda _: None, lambda raw: seen.append(learner.learn(parse(raw), spam=spam)), learner.sync)
    return len(seen), sum(seen)
