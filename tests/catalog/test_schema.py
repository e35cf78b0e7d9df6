from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from filed.catalog.schema import MIGRATIONS, VERSION, migrate, version_of


def memory() -> closing[sqlite3.Connection]:
    return closing(sqlite3.connect(":memory:", isolation_level=None))


def tables(connection: sqlite3.Connection) -> set[str]:
    return {row[0] for row in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}


def test_an_empty_file_becomes_a_current_one() -> None:
    with memory() as connection:
        migrate(connection)
        assert version_of(connection) == VERSION == len(MIGRATIONS)
        assert {"job", "file", "volume", "job_media", "agent_state", "restore_object"} <= tables(connection)


def test_a_current_file_is_left_alone() -> None:
    with memory() as connection:
        migrate(connection)
        before = connection.total_changes
        migrate(connection)
        assert connection.total_changes == before


def test_an_older_file_gets_only_what_it_lacks() -> None:
    with memory() as connection:
        migrate(connection, ("CREATE TABLE one (a); INSERT INTO one VALUES ('kept; as it is');",))
        migrate(connection, ("CREATE TABLE one (a);", "ALTER TABLE one ADD COLUMN b DEFAULT 5;"))
        assert connection.execute("SELECT a, b FROM one").fetchall() == [("kept; as it is", 5)]
        assert version_of(connection) == 2


def test_a_migration_that_fails_changes_nothing() -> None:
    with memory() as connection:
        with pytest.raises(sqlite3.OperationalError):
            migrate(connection, ("CREATE TABLE one (a); CREATE TABLE two (a); CREATE TABLE one (b);",))
        assert version_of(connection) == 0
        assert tables(connection) == set()
