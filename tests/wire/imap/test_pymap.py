"""IMAP as a source against a server of another make."""

import asyncio
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from postroom.settings.mailboxes import ImapMailbox
from servers import accounts
from servers import pymap as pymaps
from servers.pymap import PASSWORD, USER, Pymap
from wire.sites import site

_NUMBERS = count(1)


@pytest.fixture(scope="module")
def pymap() -> Iterator[Pymap]:
    with pymaps.running() as server:
        yield server


@pytest.fixture
def folder(pymap: Pymap) -> str:
    name = f"folder{next(_NUMBERS)}"
    pymap.make(name)
    return name


def account(pymap: Pymap, *folders: str, **more: object) -> ImapMailbox:
    return accounts.plain(pymap.port, USER, password=PASSWORD, folders=folders, **more)


def letter(number: int) -> bytes:
    return f"Subject: letter {number}\r\nMessage-ID: <{number}@home.example>\r\n\r\nhello\r\n".encode()


def number_in(pymap: Pymap, folder: str) -> int:
    with pymap.client(folder) as client:
        return len(client.uid("SEARCH", "ALL")[1][0].split())


async def test_new_mail_comes_in_and_is_moved(pymap: Pymap, folder: str, tmp_path: Path) -> None:
    pymap.append(folder, letter(0))
    rules = f"rules: [{{name: all, do: [{{move: {folder}-done}}]}}]"
    async with site(tmp_path, account(pymap, folder), rules) as here, here.watching():
        await here.until(lambda: here.desk.seen.looked_at)
        for number in (1, 2, 3):
            await asyncio.to_thread(pymap.append, folder, letter(number))
        await here.until(lambda: here.ends() == ["moved"] * 3)
    assert number_in(pymap, folder) == 1
    assert number_in(pymap, f"{folder}-done") == 3


async def test_copies_flags_and_removal(pymap: Pymap, folder: str, tmp_path: Path) -> None:
    pymap.append(folder, *(letter(number) for number in range(60)))
    rules = f"rules: [{{name: all, do: [{{copy: {folder}-copy}}, {{flag: [\\Flagged, $Label]}}, discard]}}]"
    async with site(tmp_path, account(pymap, folder, start="all"), rules) as here, here.watching():
        await here.until(lambda: here.ends() == ["gone"] * 60)
    assert number_in(pymap, folder) == 0
    assert number_in(pymap, f"{folder}-copy") == 60


async def test_a_move_into_a_watched_folder_is_no_new_mail(pymap: Pymap, folder: str, tmp_path: Path) -> None:
    pymap.make(f"{folder}-two")
    pymap.append(folder, letter(1), letter(2))
    rules = f"rules: [{{name: all, when: {{folder: {folder}}}, do: [{{move: {folder}-two}}]}}]"
    both = account(pymap, folder, f"{folder}-two", start="all", idle="0.2s")
    async with site(tmp_path, both, rules) as here, here.watching():
        await here.until(lambda: sorted(map(str, here.ends())) == ["moved", "moved", "own", "own"])


async def test_a_changed_message_takes_the_place_of_its_original(pymap: Pymap, folder: str, tmp_path: Path) -> None:
    pymap.append(folder, letter(1))
    rules = 'rules: [{name: all, do: [{subject: {prefix: "[x]"}}]}]'
    changing = account(pymap, folder, start="all", rewrite=True, idle="0.2s")
    async with site(tmp_path, changing, rules) as here, here.watching():
        await here.until(lambda: here.ends() == ["kept", "own"])
    assert number_in(pymap, folder) == 1
