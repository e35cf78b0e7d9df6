"""The tables of the catalog, and how an older file becomes a current one.

`PRAGMA user_version` counts the migrations a file has seen. A file that has seen more than we know is not touched.
What each column means is in docs/catalog.md.
"""

from __future__ import annotations

import sqlite3
from typing import Final

APPLICATION_ID: Final = 0x66696C64
"""`fild`, so that file(1) and a person with a hex dump can tell what this is."""

_VERSION_1: Final = """
CREATE TABLE job (
    job_id INTEGER PRIMARY KEY AUTOINCREMENT, -- never used twice: rows of a removed Job cannot become another's
    job TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    client TEXT NOT NULL,
    type TEXT NOT NULL,
    level TEXT NOT NULL,
    status TEXT NOT NULL,
    start_time INTEGER NOT NULL,
    end_time INTEGER NOT NULL DEFAULT 0,
    since INTEGER NOT NULL DEFAULT 0,
    base_job_id INTEGER,
    fileset_name TEXT NOT NULL,
    fileset_digest TEXT NOT NULL,
    fileset_text TEXT NOT NULL,
    vol_session_id INTEGER NOT NULL,
    vol_session_time INTEGER NOT NULL,
    files INTEGER NOT NULL DEFAULT 0,
    bytes INTEGER NOT NULL DEFAULT 0,
    read_bytes INTEGER NOT NULL DEFAULT 0,
    errors INTEGER NOT NULL DEFAULT 0,
    deleted INTEGER NOT NULL DEFAULT 0,
    failure TEXT NOT NULL DEFAULT '',
    pid INTEGER NOT NULL DEFAULT 0,
    pid_start INTEGER NOT NULL DEFAULT 0,
    machine TEXT NOT NULL DEFAULT ''
);
CREATE INDEX job_by_name ON job (name, client, start_time);

CREATE TABLE plugin (
    plugin_id INTEGER PRIMARY KEY,
    command BLOB NOT NULL UNIQUE
);

-- No foreign key: it would be looked up for each of a million rows. Rows of a removed Job are swept later.
-- Empty instead of NULL: both take one byte in a row's header and none after it.
CREATE TABLE file (
    job_id INTEGER NOT NULL,
    path BLOB NOT NULL,
    file_index INTEGER NOT NULL,
    type INTEGER NOT NULL,
    lstat BLOB NOT NULL,
    extended BLOB NOT NULL DEFAULT x'',
    digest BLOB NOT NULL DEFAULT x'',
    link BLOB NOT NULL DEFAULT x'',
    plugin_id INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (job_id, path)
) WITHOUT ROWID;

CREATE TABLE volume (
    volume_id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    created INTEGER NOT NULL DEFAULT 0
);

CREATE TABLE job_media (
    job_id INTEGER NOT NULL REFERENCES job ON DELETE CASCADE,
    part INTEGER NOT NULL,
    volume_id INTEGER NOT NULL REFERENCES volume,
    first_index INTEGER NOT NULL,
    last_index INTEGER NOT NULL,
    start_address INTEGER NOT NULL,
    end_address INTEGER NOT NULL,
    PRIMARY KEY (job_id, part)
) WITHOUT ROWID;
CREATE INDEX job_media_by_volume ON job_media (volume_id);

CREATE TABLE restore_object (
    job_id INTEGER NOT NULL REFERENCES job ON DELETE CASCADE,
    file_index INTEGER NOT NULL,
    type INTEGER NOT NULL,
    object_index INTEGER NOT NULL,
    command BLOB NOT NULL,
    name BLOB NOT NULL,
    content BLOB NOT NULL,
    PRIMARY KEY (job_id, file_index)
);

CREATE TABLE agent_state (
    state_id INTEGER PRIMARY KEY,
    director TEXT NOT NULL,
    job TEXT NOT NULL,
    name TEXT NOT NULL,
    agent TEXT NOT NULL,
    instance TEXT NOT NULL,
    fileset_digest TEXT NOT NULL,
    level TEXT NOT NULL,
    format INTEGER NOT NULL,
    blob BLOB NOT NULL,
    sealed INTEGER NOT NULL,
    restored INTEGER NOT NULL DEFAULT 0,
    confirmed INTEGER NOT NULL DEFAULT 0,
    UNIQUE (director, job, agent, instance)
);
CREATE INDEX agent_state_by_agent ON agent_state (director, agent, instance);
"""

# A state that has lost a bit makes a hole that nobody sees before a restore; SQLite does not look at content.
_VERSION_2: Final = """
ALTER TABLE agent_state ADD COLUMN digest BLOB NOT NULL DEFAULT x'';
"""

# So that no Job in plain text builds on an encrypted one by mistake.
_VERSION_3: Final = """
ALTER TABLE job ADD COLUMN encrypted INTEGER NOT NULL DEFAULT 0;
"""

# How far back a state reaches in its agent's own numbers; 0: it did not say.
_VERSION_4: Final = """
ALTER TABLE agent_state ADD COLUMN watermark INTEGER NOT NULL DEFAULT 0;
"""

MIGRATIONS: Final[tuple[str, ...]] = (_VERSION_1, _VERSION_2, _VERSION_3, _VERSION_4)
"""Script n takes a file from version n to n + 1. Published scripts never change; add one."""

VERSION: Final = len(MIGRATIONS)


def version_of(connection: sqlite3.Connection) -> int:
    """How many migrations the file has seen; 0 for an empty one."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)


def migrate(connection: sqlite3.Connection, migrations: tuple[str, ...] = MIGRATIONS) -> None:
    """Bring the file to the last of `migrations`, in one transaction; does nothing when it is there already.

    Two processes may come at once: the version is read again under the write lock.
    """
    if version_of(connection) >= len(migrations):
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        for script in migrations[version_of(connection) :]:
            for statement in _statements(script):
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {len(migrations)}")
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _statements(script: str) -> list[str]:
    # sqlite3's executescript() commits behind our back.
    statements: list[str] = []
    pending = ""
    for part in script.split(";"):
        pending += part + ";"
        if sqlite3.complete_statement(pending):
            statements.append(pending)
            pending = ""
    return statements
