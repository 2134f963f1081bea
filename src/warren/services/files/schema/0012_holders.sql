-- Who was heard of to have what: a hint for whoever fetches it, never a proof.

CREATE TABLE holder (
    root     BLOB NOT NULL,         -- content id
    peer     BLOB NOT NULL,
    proven   INTEGER NOT NULL,      -- something of it came from there
    heard_at REAL NOT NULL,         -- Unix seconds
    PRIMARY KEY (root, peer)
) WITHOUT ROWID;

CREATE INDEX holder_heard ON holder (heard_at);

-- It is a copy of somebody else's, under its content id: not to follow what its folder becomes.
ALTER TABLE shares ADD COLUMN replica INTEGER NOT NULL DEFAULT 0;

-- Roots of public shares that the DHT was told of, which are to be taken back once they are none.
CREATE TABLE announced (
    root BLOB PRIMARY KEY           -- content id
) WITHOUT ROWID;

-- What origins signed: that this node may have a root. Others that hold it ask for that.
CREATE TABLE ticket (
    root       BLOB NOT NULL,       -- content id
    origin     BLOB NOT NULL,       -- peer id
    sealed     BLOB NOT NULL,
    expires_at INTEGER NOT NULL,    -- Unix seconds
    PRIMARY KEY (root, origin)
) WITHOUT ROWID;
