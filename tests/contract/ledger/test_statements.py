"""One text for both databases, and what SQLite makes of it: no statement may read a whole table for a few rows."""

import importlib
import json
import pkgutil
import re
import sqlite3
from collections.abc import Iterator

import pytest

import postroom.ledger
from postroom.ledger.statements import Statement, sql
from postroom.ledger.tables import INDEXES, TABLES


def test_values_lists_and_the_clock_are_said_as_each_database_says_them() -> None:
    made = sql("UPDATE a SET t = NOW + :period WHERE id IN :ids AND b NOT IN :names AND +state = :state FOR UPDATE")
    assert made.lists == ("ids", "names")
    assert made.postgresql == (
        "UPDATE a SET t = CAST(extract(epoch from clock_timestamp()) * 1000000 AS BIGINT) + %(period)s "
        "WHERE id = ANY (%(ids)s) AND b <> ALL (%(names)s) AND state = %(state)s FOR UPDATE"
    )
    assert made.sqlite.endswith(
        "WHERE id IN (SELECT value FROM json_each(:ids)) AND b NOT IN (SELECT value FROM json_each(:names)) "
        "AND +state = :state"
    )


def statements() -> Iterator[tuple[str, Statement]]:
    for module in pkgutil.iter_modules(postroom.ledger.__path__):
        for name, value in vars(importlib.import_module(f"postroom.ledger.{module.name}")).items():
            if isinstance(value, Statement) and "pg_" not in value.sqlite:
                yield f"{module.name}.{name}", value


@pytest.fixture(scope="module")
def tables() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:")
    for made in (*TABLES, *INDEXES):
        connection.execute(sql(made).sqlite)
    yield connection
    connection.close()


@pytest.mark.parametrize("statement", [pytest.param(value, id=name) for name, value in statements() if value.lists])
def test_what_asks_for_a_list_finds_each_of_it_by_an_index(tables: sqlite3.Connection, statement: Statement) -> None:
    names = set(re.findall(r":(\w+)", statement.sqlite))
    values = {name: json.dumps(["1"]) if name in statement.lists else 1 for name in names}
    steps = [step for _, _, _, step in tables.execute(f"EXPLAIN QUERY PLAN {statement.sqlite}", values)]
    reading = [step for step in steps if "json_each" not in step and step.startswith(("SEARCH", "SCAN"))]
    assert reading
    if names & {"ids", "names", "keys", "hashes", "holders"}:
        # By what the list holds, not by a state that many rows share.
        assert all(re.search(r"rowid=|name=|message=|source_key=|sha256=|holder=|[( ]key=", step) for step in reading)
    assert not [step for step in reading if step.startswith("SCAN")]
