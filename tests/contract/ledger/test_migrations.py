"""A ledger is made whole, brought up to date by steps, and left alone when it is newer than we are."""

from datetime import timedelta

import pytest

from postroom.errors import Temporary
from postroom.ledger import Ledger, Query
from postroom.ledger.database import connect
from postroom.ledger.migrations import STEPS, upgrade
from postroom.ledger.statements import sql

WAIT = timedelta(seconds=30)


ADD_COLUMN = "ALTER TABLE message ADD COLUMN colour TEXT"
ADD_TABLE = "CREATE TABLE colour (name TEXT)"
FAIL = "SELECT colour FROM nowhere"


def test_a_second_opening_changes_nothing(shared_url: str) -> None:
    for _ in range(2):
        ledger = Ledger.open(shared_url)
        assert ledger.find(Query()) == ()
        ledger.close()


def test_an_older_ledger_is_brought_up_to_date_step_by_step(ledger_url: str) -> None:
    database = connect(ledger_url, password=None, create=True, wait=WAIT)
    upgrade(database, steps=[])
    upgrade(database, steps=[ADD_COLUMN])
    upgrade(database, steps=[ADD_COLUMN, ADD_TABLE])
    with database.reading() as connection:
        assert connection.rows(sql("SELECT colour FROM message")) == []
        assert connection.rows(sql("SELECT name FROM colour")) == []
        assert connection.column("version", sql("SELECT version FROM schema")) == [3]
    database.close()


def test_a_step_that_fails_leaves_the_ledger_at_its_old_version(ledger_url: str) -> None:
    database = connect(ledger_url, password=None, create=True, wait=WAIT)
    upgrade(database, steps=[])
    with pytest.raises(Temporary):
        upgrade(database, steps=[ADD_TABLE, FAIL])
    upgrade(database, steps=[ADD_TABLE])
    database.close()


def test_a_ledger_of_a_newer_postroom_is_refused(shared_url: str) -> None:
    database = connect(shared_url, password=None, create=True, wait=WAIT)
    upgrade(database, steps=[*STEPS, ADD_TABLE])
    database.close()
    newest = len(STEPS) + 1
    known = f"has version {newest + 1}, this Postroom knows {newest}: run the newer Postroom"
    with pytest.raises(Temporary, match=known):
        Ledger.open(shared_url)


def test_a_ledger_that_is_not_there_is_not_made_where_nobody_asked(shared_url: str) -> None:
    with pytest.raises(Temporary, match=r"there is no ledger at|has no tables"):
        Ledger.open(shared_url, create=False)
