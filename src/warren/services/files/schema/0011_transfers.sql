-- What is to be fetched, was, or could not be.

CREATE TABLE transfer (
    number      INTEGER PRIMARY KEY AUTOINCREMENT,  -- never given twice
    want        TEXT NOT NULL,                      -- JSON, see queue/store.py
    priority    INTEGER NOT NULL,
    cap         INTEGER NOT NULL,                   -- bytes a second; 0 is none
    hours       TEXT NOT NULL,                      -- '22:00-06:00', or ''
    state       TEXT NOT NULL,                      -- 'queued' (also what ran, or waited), 'paused', 'failed', 'done'
    cause       TEXT NOT NULL,                      -- of a pause: 'user', 'disk'; else ''
    name        TEXT NOT NULL,
    root        BLOB,                               -- content id, once it is known
    error       TEXT NOT NULL DEFAULT '',           -- of the last failure: its class, its words, what to do
    reason      TEXT NOT NULL DEFAULT '',
    hint        TEXT NOT NULL DEFAULT '',
    progress    TEXT NOT NULL DEFAULT '',           -- JSON: how far it was; '' before it began
    dropped     TEXT NOT NULL DEFAULT '[]',         -- JSON: sources that were let go
    path        TEXT NOT NULL DEFAULT '',           -- where it lies, once it is done
    added_at    REAL NOT NULL,                      -- seconds since 1970
    ended_at    REAL
);

CREATE TABLE transfer_limit (
    direction   TEXT PRIMARY KEY,                   -- 'down' or 'up'
    bytes_per_s INTEGER NOT NULL                    -- 0 is none; no row: as the settings say
) WITHOUT ROWID;
