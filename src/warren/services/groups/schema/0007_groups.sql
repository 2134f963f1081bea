-- Sets of contacts. Names are in their one form (core/group_name.py); peer ids are multihash bytes.

CREATE TABLE groups (
    name TEXT PRIMARY KEY
) WITHOUT ROWID;

-- Who is no contact any more is in no group any more.
CREATE TABLE group_members (
    name    TEXT NOT NULL REFERENCES groups ON DELETE CASCADE,
    peer_id BLOB NOT NULL REFERENCES contacts ON DELETE CASCADE,
    PRIMARY KEY (name, peer_id)
) WITHOUT ROWID;

CREATE INDEX group_members_by_peer ON group_members (peer_id);
