-- What this node itself put into the DHT, to be put there again until the user takes it back. What it keeps for
-- others is elsewhere (dht.db): that comes again by itself. Times are Unix seconds.

CREATE TABLE dht_records (
    key      BLOB PRIMARY KEY,  -- whole, with its namespace
    value    BLOB NOT NULL,     -- as it is kept by others: signed
    put_at   REAL               -- when others last took it; NULL: never
) WITHOUT ROWID;

CREATE TABLE dht_provided (
    multihash BLOB PRIMARY KEY,  -- of the content
    cid       BLOB NOT NULL,     -- as the user gave it
    put_at    REAL
) WITHOUT ROWID;

-- The highest sequence that a name ever had. It stays when the name is taken back: a later value must win over it.
CREATE TABLE dht_sequences (
    name     BLOB PRIMARY KEY,
    sequence INTEGER NOT NULL
) WITHOUT ROWID;
