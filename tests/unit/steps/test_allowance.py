"""Directories and stores that values name: a stranger makes no more of them than an operator can look through."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from postroom import steps, testing
from postroom.errors import Temporary
from postroom.pipeline.outcome import Effect
from postroom.settings.mailboxes import ListenerMailbox
from postroom.steps.store import Store

WAYS: dict[str, dict[str, Any]] = {
    "extract": {"to": "by/{{ from.local }}/in"},
    "archive": {"to": "by/{{ from.local }}/in"},
    "quarantine": {"reason": "x", "to": "by/{{ from.local }}/in"},
    "file": {"to": "by/{{ from.local }}/in"},
}


class Desk:
    """Steps of one word for messages of many senders, with one memory and a clock."""

    def __init__(self, root: Path, word: str) -> None:
        self.now = testing.NOW
        self.tools = testing.tools(root, memory=testing.Memory(clock=lambda: self.now))
        self.word = word
        self.made = root / ("quarantine" if word == "quarantine" else "files") / "by"

    def handle(self, local: str, **options: Any) -> None:
        raw = testing.message(from_=f"{local}@acme.example", attachments=["a.pdf"])
        step = steps.step(self.word).model_validate(WAYS[self.word] | options)
        [effect] = [one for one in step.plan(testing.view(raw), self.tools) if isinstance(one, Effect)]
        effect.perform(testing.letter(raw, key=local), self.tools)


@pytest.mark.parametrize("word", WAYS)
def test_a_hundred_directories_are_made_within_an_hour_and_further_ones_wait(tmp_path: Path, word: str) -> None:
    desk = Desk(tmp_path, word)
    for number in range(100):
        desk.handle(f"ann{number}")
    with pytest.raises(Temporary, match="by: 100 new places were made there within an hour; further ones wait") as told:
        desk.handle("bob")
    assert "bob" not in str(told.value)
    assert not (desk.made / "bob").exists()
    desk.handle("ann7")
    desk.handle("eve", to="always/here")
    desk.now += timedelta(hours=1)
    desk.handle("bob")
    assert len([*desk.made.iterdir()]) == 101


def store(path: Path) -> Effect:
    effect = Store(str(path)).deliver("keep", "", frozenset(), create=True)
    assert effect is not None
    return steps.effect("keep").model_validate_json(effect.model_dump_json())


def test_stores_that_recipients_name_are_made_as_often_within_an_hour_as_the_mailbox_says(tmp_path: Path) -> None:
    now = [testing.NOW]
    listener = ListenerMailbox.model_validate(
        {
            "url": "lmtp://127.0.0.1:24",
            "recipients": [
                {"to": "fixed@example.com", "store": str(tmp_path / "fixed")},
                {"to": "*", "store": f"{tmp_path}/mail/{{{{ recipient.local }}}}"},
            ],
            "new-stores": 2,
        }
    )
    memory = testing.Memory(clock=lambda: now[0])
    tools = testing.tools(tmp_path, memory=memory, new_stores=lambda _, path: listener.new_ones(path))
    for name in ("ann", "eve", "ann"):
        store(tmp_path / "mail" / name).perform(testing.letter(key=name), tools)
    with pytest.raises(Temporary, match=r"2 new stores .*`new-stores`") as told:
        store(tmp_path / "mail/bob").perform(testing.letter(key="bob"), tools)
    assert "bob" not in str(told.value)
    assert not (tmp_path / "mail/bob").exists()
    (tmp_path / "mail/own/new").mkdir(parents=True)
    for path in (tmp_path / "fixed", tmp_path / "mail/own"):
        store(path).perform(testing.letter(key=path.name), tools)
    now[0] += timedelta(hours=1)
    store(tmp_path / "mail/bob").perform(testing.letter(key="bob"), tools)
