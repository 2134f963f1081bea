-- What this node lets others find: a flat list, and in which order it changed. The changes are what super-peers
-- have not been told yet; they survive whatever happens to the node.

CREATE TABLE catalog_audience (
    number INTEGER PRIMARY KEY,
    name   TEXT NOT NULL UNIQUE     -- as shares have it; 0 is 'public'
);
INSERT INTO catalog_audience VALUES (0, 'public');

CREATE TABLE catalog_entry (
    path     TEXT PRIMARY KEY,      -- SHARE/FOLDER/NAME
    kind     TEXT NOT NULL,         -- 'file' or 'dir'
    size     INTEGER NOT NULL,      -- content in bytes
    cid      BLOB NOT NULL,
    metadata BLOB NOT NULL,         -- a Metadata of protocols.directory; empty: none
    audience INTEGER NOT NULL REFERENCES catalog_audience
) WITHOUT ROWID;
CREATE INDEX catalog_cid ON catalog_entry (cid);

CREATE TABLE catalog_log (
    seq  INTEGER PRIMARY KEY,       -- rises: the time in milliseconds, or one more than the last
    path TEXT NOT NULL,
    was  INTEGER                    -- the audience before; NULL: it was not there
);

CREATE TABLE catalog_state (
    one   INTEGER PRIMARY KEY CHECK (one = 1),
    epoch INTEGER NOT NULL,         -- milliseconds since 1970 when the numbers began anew
    seq   INTEGER NOT NULL,         -- of the last change
    floor INTEGER NOT NULL          -- changes up to here are in the log no more
);

CREATE TABLE catalog_told (
    peer  BLOB PRIMARY KEY,         -- a super-peer
    scope BLOB NOT NULL,            -- which audiences admit it, as of the last snapshot it got
    at    INTEGER NOT NULL          -- rises; the lowest are forgotten
) WITHOUT ROWID;
