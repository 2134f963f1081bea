-- What the user says by hand is for those whom the place admits for which it was said, and for no others.
CREATE TABLE resource_said_for (
    cid      BLOB NOT NULL,
    share    BLOB NOT NULL,     -- the path of the share on the disk; empty: of the content, wherever it lies
    audience TEXT NOT NULL,     -- whom that share admits, or did while it was one
    number   INTEGER NOT NULL,  -- rises: what was said later goes over what was said before
    said     TEXT NOT NULL,     -- a JSON object of the fields that were said
    PRIMARY KEY (cid, share)
) WITHOUT ROWID;

INSERT INTO resource_said_for SELECT cid, x'', 'public', 1, said FROM resource_said;
DROP TABLE resource_said;
ALTER TABLE resource_said_for RENAME TO resource_said;
