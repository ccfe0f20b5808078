"""What was done at the server and not recorded is not done twice; a source may be stopped anywhere."""

import asyncio
import random
import re
from pathlib import Path

import pytest

from postroom.ledger import State
from servers import accounts
from servers.dovecot import Dovecot
from wire.imap.boxes import MOVE, bodies, letter, uids
from wire.sites import site


def moves_by_itself(server: Dovecot, user: str) -> bool:
    with server.client(user) as client:
        return "MOVE" in client.capability()[1][0].decode().split()


@pytest.mark.parametrize("rules", [MOVE, "rules: [{name: all, do: [{copy: Done}]}]"], ids=["move", "copy"])
async def test_a_settlement_whose_answer_was_lost_is_not_done_twice(
    server: Dovecot, user: str, tmp_path: Path, rules: str
) -> None:
    """Done at the server, not recorded: as after a crash just in between."""
    server.append(user, *(letter(number) for number in range(3)))
    account = accounts.plain(server.imap, user, start="all")
    async with site(tmp_path, account, rules) as here:
        await here.bring(3)
        with server.client(user) as client:
            client.create("Done")
            client.uid("COPY", "1:3", "Done")
            if rules == MOVE:
                client.uid("STORE", "1:3", "+FLAGS", "(\\Deleted)")
        async with here.watching():
            await here.until(lambda: len(here.rows(State.SETTLED)) == 3)
    # Where the server moves by itself, what is still there was never moved: those three copies are somebody else's.
    assert len(uids(server, user, "Done")) == (6 if rules == MOVE and moves_by_itself(server, user) else 3)


async def test_a_move_whose_answer_was_lost_is_known_to_be_ours(dovecot: Dovecot, user: str, tmp_path: Path) -> None:
    """Equal messages, each moved by an earlier try, but for one that the user deleted."""
    dovecot.append(user, letter(1), letter(1), letter(1))
    async with site(tmp_path, accounts.plain(dovecot.imap, user, start="all"), MOVE) as here:
        await here.bring(3)
        with dovecot.client(user) as client:
            client.create("Done")
            client.uid("MOVE", "1", "Done")
            client.uid("STORE", "2", "+FLAGS", "(\\Deleted)")
            client.expunge()
        async with here.watching():
            await here.until(lambda: len(here.rows(State.SETTLED)) == 3)
    assert len(uids(dovecot, user, "Done")) == 2
    assert uids(dovecot, user) == []


@pytest.mark.parametrize("seed", range(3))
async def test_a_source_that_is_stopped_anywhere_loses_nothing_and_moves_all_once(
    server: Dovecot, user: str, tmp_path: Path, seed: int
) -> None:
    server.append(user, *(letter(number) for number in range(60)), letter(60, b"x" * 1_500_000))
    chance = random.Random(seed)
    account = accounts.plain(server.imap, user, start="all")
    rules = "rules: [{name: all, do: [{copy: Copies}, {flag: $Seen}, {move: Done}]}]"
    for _ in range(12):
        async with site(tmp_path, account, rules, limits={"in-flight": 25}) as here, here.watching():
            await asyncio.sleep(chance.uniform(0.02, 0.25))
    async with site(tmp_path, account, rules) as here, here.watching():
        here.work_off()
        await here.until(lambda: len(here.ends()) == 61 and set(here.ends()) <= {"moved", "vanished"})
    for folder in ("Done", "Copies"):
        found = [re.search(rb"letter (\d+)", body)[1] for body in bodies(server, user, folder)]  # type: ignore[index]
        assert sorted(map(int, found)) == list(range(61))
