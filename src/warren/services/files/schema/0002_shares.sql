-- What the user shares, and with whom. Where its chunks lie is kept apart (index.db): that can be made again.

CREATE TABLE shares (
    path     BLOB PRIMARY KEY,      -- absolute, free of symlinks, as the system writes it
    kind     TEXT NOT NULL,         -- 'file' or 'dir'
    name     TEXT NOT NULL UNIQUE,  -- what others see
    audience TEXT NOT NULL,         -- 'contacts', 'public', 'group:' and its name, or 'peer:' and peer ids
    cid      BLOB NOT NULL,         -- this and the rest: as it was hashed last
    files    INTEGER NOT NULL,
    bytes    INTEGER NOT NULL
) WITHOUT ROWID;
