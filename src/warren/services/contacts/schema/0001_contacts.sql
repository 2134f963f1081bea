-- The people this node knows, where they may be reached, and the invitations that may add more.
-- Times are Unix seconds. Addresses are binary multiaddrs without /p2p. Peer ids are multihash bytes.

CREATE TABLE contacts (
    peer_id     BLOB PRIMARY KEY,
    petname     TEXT NOT NULL,
    petname_key TEXT NOT NULL UNIQUE,  -- the petname without case: see petname.py
    own_name    TEXT NOT NULL,         -- what the peer calls itself
    added_at    REAL NOT NULL
) WITHOUT ROWID;

CREATE TABLE contact_addresses (
    peer_id   BLOB NOT NULL REFERENCES contacts ON DELETE CASCADE,
    address   BLOB NOT NULL,
    told_at   REAL,                    -- when the peer last named it; NULL: no longer, or never
    proven_at REAL,                    -- when a handshake there last met the peer's key; NULL: never, or lost to another
    PRIMARY KEY (peer_id, address)
) WITHOUT ROWID;

CREATE INDEX contact_addresses_by_address ON contact_addresses (address);

CREATE TABLE invites (
    token      BLOB PRIMARY KEY,       -- made from the secret, which is in the code alone
    petname    TEXT,                   -- for who comes; NULL: what the peer calls itself
    uses_left  INTEGER NOT NULL CHECK (uses_left >= 0),
    made_at    REAL NOT NULL,
    expires_at REAL NOT NULL
) WITHOUT ROWID;

-- Who used which invitation: a peer whose answer got lost may ask again at no cost, one that was removed may not.
CREATE TABLE invite_uses (
    token   BLOB NOT NULL REFERENCES invites ON DELETE CASCADE,
    peer_id BLOB NOT NULL,
    used_at REAL NOT NULL,
    PRIMARY KEY (token, peer_id)
) WITHOUT ROWID;
