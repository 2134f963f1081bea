-- Queries that the user keeps, and what was found by them.

CREATE TABLE saved_search (
    name     TEXT PRIMARY KEY,
    query    TEXT NOT NULL,         -- JSON, see store.py
    fetch    INTEGER NOT NULL,      -- 1: what is found is fetched
    saved_at REAL NOT NULL          -- seconds since 1970
) WITHOUT ROWID;

CREATE TABLE saved_search_match (
    number   INTEGER PRIMARY KEY,   -- rises: the order in which they were found
    search   TEXT NOT NULL REFERENCES saved_search ON DELETE CASCADE,
    cid      BLOB NOT NULL,
    name     TEXT NOT NULL,
    kind     TEXT NOT NULL,         -- 'file' or 'dir'
    size     INTEGER NOT NULL,      -- content in bytes
    title    TEXT NOT NULL,
    holders  BLOB NOT NULL,         -- peer ids, one after the other, each after its length in one byte
    found_at REAL NOT NULL,         -- seconds since 1970
    fetched  INTEGER NOT NULL DEFAULT 0,
    UNIQUE (search, cid)
);
