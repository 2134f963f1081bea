-- Who is out there, as far as this node knows; addresses whose peer it does not know; what it says of itself.
-- Times are Unix seconds, spans seconds, speeds bytes per second. Addresses are binary multiaddrs without /p2p.
-- Peer ids are multihash bytes. Numbers of records are 8 bytes, big-endian: SQLite's integers lack a bit.

CREATE TABLE peers (
    id          INTEGER PRIMARY KEY,
    peer_id     BLOB NOT NULL UNIQUE,
    draw        INTEGER NOT NULL,           -- by chance, once: what an order at random follows
    name_key    TEXT,                       -- of a contact: its petname without case; NULL: no contact
    kept        INTEGER NOT NULL DEFAULT 0, -- 1: the user put it here
    blocked     INTEGER NOT NULL DEFAULT 0, -- 1: by the user
    first_seen  REAL NOT NULL,
    last_seen   REAL,                       -- when it was met last; NULL: never
    touched_at  REAL NOT NULL,              -- when anything was learnt of it
    latency     REAL,
    latency_at  REAL,
    jitter      REAL,
    response    REAL,                       -- how long it took to say how it is doing
    response_at REAL,
    download    REAL,
    download_at REAL,
    upload      REAL,
    upload_at   REAL,
    state       TEXT NOT NULL DEFAULT 'new',
    public      INTEGER,                    -- 1: anyone may dial it; 0: not; NULL: not known
    host        TEXT,                       -- the group of hosts where it was met last (not on loopback)
    agent       TEXT NOT NULL DEFAULT '',
    roles       TEXT NOT NULL DEFAULT '',   -- words apart by spaces, as in sources
    sources     TEXT NOT NULL DEFAULT ''
);

CREATE INDEX peers_by_name ON peers (name_key IS NULL, name_key, last_seen DESC, id);
CREATE INDEX peers_by_seen ON peers (last_seen DESC, id);
CREATE INDEX peers_by_latency ON peers (latency IS NULL, latency, id);
CREATE INDEX peers_by_download ON peers (download DESC, id);
CREATE INDEX peers_by_upload ON peers (upload DESC, id);
CREATE INDEX peers_by_draw ON peers (draw, id);
CREATE INDEX peers_by_host ON peers (host, touched_at) WHERE host IS NOT NULL;
CREATE INDEX peers_in_doubt ON peers (draw, id) WHERE state IN ('suspect', 'unreachable');
CREATE INDEX peers_blocked ON peers (peer_id) WHERE blocked;
-- What a peer is worth when room is needed, the least first: store.py has the same words.
CREATE INDEX peers_by_worth ON peers (
    CASE WHEN name_key IS NOT NULL OR kept OR blocked THEN 3
         WHEN latency IS NOT NULL OR download IS NOT NULL OR upload IS NOT NULL THEN 2
         WHEN last_seen IS NOT NULL THEN 1
         ELSE 0 END,
    touched_at
);

CREATE TABLE peer_addresses (
    peer      INTEGER NOT NULL REFERENCES peers ON DELETE CASCADE,
    address   BLOB NOT NULL,
    signed    INTEGER NOT NULL,             -- 1: its signed record names it
    told_at   REAL,                         -- when anybody last said so; NULL: nobody did
    proven_at REAL,                         -- when a handshake there last met the peer's key; NULL: never, or lost to another
    PRIMARY KEY (peer, address)
) WITHOUT ROWID;

CREATE INDEX peer_addresses_by_address ON peer_addresses (address);

-- What peers signed, to be passed on as it is.
CREATE TABLE peer_records (
    peer     INTEGER PRIMARY KEY REFERENCES peers ON DELETE CASCADE,
    seq      BLOB NOT NULL,
    envelope BLOB NOT NULL
);

CREATE TABLE peer_metadata (
    peer     INTEGER PRIMARY KEY REFERENCES peers ON DELETE CASCADE,
    seq      BLOB NOT NULL,
    envelope BLOB NOT NULL,
    entries  TEXT NOT NULL                  -- what it says, as a JSON object
);

-- Addresses that the user brought, of which nobody knows yet whose they are.
CREATE TABLE peer_leads (
    address  BLOB PRIMARY KEY,
    added_at REAL NOT NULL,
    latency  REAL,
    download REAL,
    upload   REAL,
    failures INTEGER NOT NULL DEFAULT 0,
    due_at   REAL NOT NULL                  -- when it is to be dialled next
) WITHOUT ROWID;

CREATE INDEX peer_leads_by_due ON peer_leads (due_at);

-- What this node says of itself. The number is that of the newest envelope that anybody may have seen.
CREATE TABLE own_metadata (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE own_numbers (
    name   TEXT PRIMARY KEY,
    number INTEGER NOT NULL
) WITHOUT ROWID;

-- The contacts that are there already.
INSERT INTO peers (peer_id, draw, name_key, first_seen, touched_at, sources)
    SELECT peer_id, abs(random() % 4611686018427387904), petname_key, added_at, added_at, 'contact' FROM contacts;
INSERT INTO peer_addresses (peer, address, signed, told_at, proven_at)
    SELECT id, address, 0, told_at, proven_at FROM contact_addresses JOIN peers USING (peer_id);
