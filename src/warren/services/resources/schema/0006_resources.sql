-- What is said of files and folders, by content id (binary): so it stays with them wherever they move.

-- The newest word of each publisher, signed. Its number is 8 bytes, big-endian: SQLite's integers lack a bit.
CREATE TABLE resources (
    cid       BLOB NOT NULL,
    publisher BLOB NOT NULL,   -- peer id, as multihash bytes
    seq       BLOB NOT NULL,
    envelope  BLOB NOT NULL,
    metadata  TEXT NOT NULL,   -- what it says, as a JSON object
    PRIMARY KEY (cid, publisher)
) WITHOUT ROWID;

CREATE INDEX resources_by_publisher ON resources (publisher);

-- Of this node's words: what the user said by hand, as a JSON object of those fields alone.
CREATE TABLE resource_said (
    cid  BLOB PRIMARY KEY,
    said TEXT NOT NULL
) WITHOUT ROWID;

-- What files say of themselves. One that says nothing stands here too, so that it is not read again.
CREATE TABLE resource_taken (
    cid   BLOB PRIMARY KEY,
    taken TEXT NOT NULL
) WITHOUT ROWID;

-- Where what is described lay last: when something else lies there, what was said by hand is said of that.
CREATE TABLE resource_places (
    share BLOB NOT NULL,       -- the path of the share on the disk
    path  TEXT NOT NULL,       -- from there, '/' between names; '': the share itself
    cid   BLOB NOT NULL,
    PRIMARY KEY (share, path)
) WITHOUT ROWID;

CREATE INDEX resource_places_by_cid ON resource_places (cid);
