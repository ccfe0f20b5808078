"""Where the plan and the mailbox's settings want a message."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from postroom.ledger.rows import Waiting
from postroom.message import SetHeader
from postroom.settings.mailboxes import ImapMailbox
from postroom.sources.imap.acts import Act, Put, Remove, Stay, act_of
from postroom.sources.settlement import Settlement

NOW = datetime(2026, 3, 1, tzinfo=UTC)
EDIT = SetHeader(name="Subject", value="x")


class Folder:
    """What is asked of a selected folder: INBOX, on Gmail or not."""

    name = "INBOX"

    def __init__(self, gmail: bool = False) -> None:
        self.imap = SimpleNamespace(has=lambda name: gmail)

    def is_called(self, folder: str) -> bool:
        return folder.upper() == "INBOX"


def act(
    *, gmail: bool = False, edits: tuple[Any, ...] = (), account: dict[str, object] | None = None, **work: Any
) -> Act | Waiting:
    given: dict[str, Any] = {
        "message": 7, "key": "INBOX/1/1", "identity": "id", "folder": "INBOX", "place": "kept", "target": "",
        "create": True, "add": frozenset(), "remove": frozenset(), "copies": (), "edits": edits, "discarded": False,
        "sha256": None, "size": 0, "received": NOW, "flags": frozenset(), "planned": NOW, "tries": 0,
    }  # fmt: skip
    settings = {"url": "imaps://u@mail.example", "password": "x"} | (account or {})
    return act_of(Settlement(**given | work), ImapMailbox.model_validate(settings), Folder(gmail), NOW)  # type: ignore[arg-type]


def test_what_is_kept_stays() -> None:
    assert act() == Stay()


def test_a_move_to_where_it_is_already_is_none() -> None:
    assert act(place="moved", target="inbox") == Stay()
    assert act(place="moved", target="Done", create=False) == Put("Done", create=False)


@pytest.mark.parametrize(
    ("place", "target", "folder"), [("kept", "", "INBOX"), ("moved", "Done", "Done"), ("moved", "Inbox", "INBOX")]
)
def test_a_changed_message_is_put_where_it_is_to_be(place: str, target: str, folder: str) -> None:
    changed = act(place=place, target=target, edits=(EDIT,), account={"rewrite": True})
    assert changed == Put(folder, create=True, edited=True)


def test_without_rewrite_changes_stay_with_the_effects() -> None:
    assert act(edits=(EDIT,)) == Stay()


@pytest.mark.parametrize("account", [{}, {"keep-on-server": True}, {"keep-on-server": "7d"}, {"handled": "seen"}])
def test_what_is_discarded_goes_whatever_else_is_set(account: dict[str, object]) -> None:
    assert act(place="gone", discarded=True, account=account) == Remove()
    assert act(place="gone", discarded=True, account=account, gmail=True) == Put("\\Trash", create=True)


@pytest.mark.parametrize(
    ("account", "expected"),
    [
        ({}, Stay()),
        ({"handled": "seen"}, Stay(seen=True)),
        ({"handled": "delete"}, Remove()),
        ({"handled": {"move": "Old"}}, Put("Old", create=True)),
        ({"handled": {"move": "INBOX"}}, Stay()),
        ({"handled": "delete", "keep-on-server": True}, Stay()),
        ({"handled": "delete", "keep-on-server": "7d"}, Waiting(message=7, until=NOW + timedelta(days=7))),
        ({"handled": "seen", "keep-on-server": "7d"}, Stay(seen=True)),
    ],
)
def test_what_lives_elsewhere_is_handled_as_the_settings_say(account: dict[str, object], expected: object) -> None:
    assert act(place="gone", account=account) == expected


def test_what_was_to_stay_for_a_while_goes_after_it() -> None:
    account = {"handled": "delete", "keep-on-server": "7d"}
    assert act(place="gone", account=account, received=NOW - timedelta(days=8)) == Remove()
