"""What rules filed into a Maildir that is watched is known when it turns up there."""

from pathlib import Path

import pytest

from desks import MemoryDesk
from maildirs import LETTER, put
from postroom.ledger import OWN, Origin
from postroom.sources.maildir.owning import HOPS, effect_in, own

from .test_collecting import watching

KEY, OTHER = "a" * 26, "b" * 26


@pytest.mark.parametrize(
    ("name", "key"),
    [
        (f"1700000000.{KEY}.test.example,S=10", KEY),
        (f"1700000000.{KEY}.test.example:2,S", KEY),
        (f"{KEY}.eml", KEY),
        ("1700000000.M1P2.test.example", None),
        (f"1700000000.{KEY}a.test.example", None),
        (f"1700000000.{KEY.upper()}.test.example", None),
    ],
)
def test_a_name_of_ours_holds_the_effects_key(name: str, key: str | None) -> None:
    assert effect_in(name) == key


async def test_what_was_filed_into_the_maildir_it_came_from_is_own_and_stays_where_it_is(tmp_path: Path) -> None:
    desk = MemoryDesk(tmp_path)
    desk.effects[KEY] = Origin("test", "1.a.host")
    desk.effects[OTHER] = Origin("elsewhere", "INBOX/1/1")
    ours = put(tmp_path / "m", f"1.{KEY}.host,S=3")
    put(tmp_path / "m", f"1.{OTHER}.host,S=3")
    put(tmp_path / "m", f"1.{'c' * 26}.host,S=3")
    async with watching(desk, tmp_path / "m"):
        await desk.until(lambda: "looked" in desk.events)
    assert {key: arrival.end for key, arrival in desk.arrivals.items()} == {
        f"1.{KEY}.host,S=3": OWN, f"1.{OTHER}.host,S=3": None, f"1.{'c' * 26}.host,S=3": None,
    }  # fmt: skip
    assert ours.read_bytes() == LETTER


async def test_what_comes_back_by_way_of_other_maildirs_is_own_too_and_a_circle_of_others_ends(tmp_path: Path) -> None:
    desk = MemoryDesk(tmp_path)
    desk.effects[KEY] = Origin("second", f"1.{OTHER}.host")
    desk.effects[OTHER] = Origin("test", "1.a.host")
    assert await own(desk, [f"2.{KEY}.host"]) == {f"2.{KEY}.host"}
    desk.effects[OTHER] = Origin("third", f"1.{KEY}.host")
    assert await own(desk, [f"2.{KEY}.host"] * (HOPS + 1)) == frozenset()
