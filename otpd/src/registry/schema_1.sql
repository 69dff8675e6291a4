-- Version 1. Times are Unix seconds. Keys are ciphertext; see keys.rs.

-- While the master key is being replaced, next is wrapped with the new one.
CREATE TABLE data_key (
    id      INTEGER PRIMARY KEY CHECK (id = 1),
    wrapped BLOB NOT NULL,
    next    BLOB
) STRICT;

-- A detached account has neither uid nor name; former says whose it was. recovery has 25 bytes for each recovery code:
-- its number, when it was used (0: not yet), and a keyed mark of it; mailed has 24 for each mailed code: until when it is
-- good, and a mark. In this row, no login needs a statement for them. emails is how many rows of email it has. admitted is
-- when a code let its owner in on the web, until a ticket was issued for that.
CREATE TABLE account (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    uid         INTEGER UNIQUE,
    name        TEXT UNIQUE,
    former      TEXT,
    next_device INTEGER NOT NULL,
    grace_since INTEGER,
    stepped_up  INTEGER,
    announce    TEXT,
    recovery    BLOB,
    recovered   INTEGER,
    enrol       BLOB,
    enrol_until INTEGER,
    enrol_tries INTEGER,
    mailed      BLOB,
    emails      INTEGER NOT NULL DEFAULT 0,
    language    TEXT,
    warned_no_code INTEGER,
    warned_reuse   INTEGER,
    admitted       INTEGER,
    admitted_by    TEXT
) STRICT;

CREATE TABLE device (
    account      INTEGER NOT NULL REFERENCES account (id),
    id           INTEGER NOT NULL,
    name         TEXT NOT NULL,
    state        TEXT NOT NULL CHECK (state IN ('pending', 'active', 'retired')),
    kind         TEXT NOT NULL CHECK (kind IN ('totp', 'hotp')),
    key          BLOB NOT NULL,
    algorithm    TEXT NOT NULL,
    digits       INTEGER NOT NULL,
    period       INTEGER NOT NULL,
    drift        INTEGER NOT NULL,
    leaning      INTEGER NOT NULL,
    last_step    INTEGER,
    needs_resync INTEGER NOT NULL,
    created      INTEGER NOT NULL,
    created_by   TEXT NOT NULL,
    created_from TEXT NOT NULL,
    expires      INTEGER,
    tries        INTEGER NOT NULL,
    replaces     INTEGER,
    activated    INTEGER,
    retired      INTEGER,
    retired_by   TEXT,
    last_used    INTEGER,
    last_service TEXT,
    last_address TEXT,
    PRIMARY KEY (account, id)
) STRICT, WITHOUT ROWID;

-- What a login loads, however many devices an account had before.
CREATE INDEX device_live ON device (account, id) WHERE state <> 'retired';

-- Secure emails. One that is not confirmed has a mark of the code that was mailed to it; recovers and removed are the
-- moments from which on it recovers and until which, once removed, it is told what happens.
CREATE TABLE email (
    account  INTEGER NOT NULL REFERENCES account (id),
    number   INTEGER NOT NULL,
    address  BLOB NOT NULL,
    added    INTEGER NOT NULL,
    code     BLOB,
    expires  INTEGER,
    tries    INTEGER,
    recovers INTEGER,
    removed  INTEGER,
    PRIMARY KEY (account, number)
) STRICT, WITHOUT ROWID;

-- Mails that wait for a server. One that was given up has no contents any more.
CREATE TABLE outbox (
    id      BLOB PRIMARY KEY,
    account INTEGER,
    kind    TEXT NOT NULL CHECK (kind IN ('confirm', 'code', 'notice', 'test')),
    sealed  BLOB,
    at      INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    next    INTEGER NOT NULL,
    tries   INTEGER NOT NULL,
    answer  TEXT
) STRICT, WITHOUT ROWID;

CREATE INDEX outbox_due ON outbox (next) WHERE sealed IS NOT NULL;
CREATE INDEX outbox_account ON outbox (account) WHERE sealed IS NOT NULL;

-- One row for each lane with failures, a refusal to explain, or mails. mails has 8 bytes for each: when it was posted.
CREATE TABLE lane (
    account       INTEGER NOT NULL REFERENCES account (id),
    lane          TEXT NOT NULL,
    failures      INTEGER NOT NULL,
    last          INTEGER,
    refused       INTEGER,
    refused_spent INTEGER,
    mails         BLOB,
    mail_tries    INTEGER NOT NULL,
    mail_tried    INTEGER,
    PRIMARY KEY (account, lane)
) STRICT, WITHOUT ROWID;

CREATE TABLE source (
    account INTEGER NOT NULL REFERENCES account (id),
    address TEXT NOT NULL,
    at      INTEGER NOT NULL,
    PRIMARY KEY (account, address)
) STRICT, WITHOUT ROWID;

-- Who is signed in on the web. mark is all that is known of a ticket. A visit has the ticket that it came of, and a host;
-- it ends with that one. code_at is when an administrator gave a code for this one.
CREATE TABLE ticket (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    mark        BLOB NOT NULL UNIQUE,
    parent      INTEGER REFERENCES ticket (id) ON DELETE CASCADE,
    uid         INTEGER NOT NULL,
    name        TEXT NOT NULL,
    host        TEXT,
    issued      INTEGER NOT NULL,
    expires     INTEGER NOT NULL,
    seen        INTEGER NOT NULL,
    password_at INTEGER NOT NULL,
    code_at     INTEGER,
    address     TEXT,
    agent       TEXT,
    device      TEXT
) STRICT;

CREATE INDEX ticket_uid ON ticket (uid);
CREATE INDEX ticket_name ON ticket (name);
CREATE INDEX ticket_parent ON ticket (parent) WHERE parent IS NOT NULL;

-- Numbers rise without gaps: only the oldest events are ever removed, and never the newest. Each event's MAC is made
-- of all its columns and of the MAC before it.
CREATE TABLE audit (
    id       INTEGER PRIMARY KEY,
    at       INTEGER NOT NULL,
    user     TEXT NOT NULL,
    uid      INTEGER,
    actor    TEXT NOT NULL,
    kind     TEXT NOT NULL,
    decision TEXT NOT NULL,
    reason   TEXT NOT NULL,
    service  TEXT,
    address  TEXT,
    device   TEXT,
    lane     TEXT,
    detail   TEXT,
    mac      BLOB NOT NULL
) STRICT;

-- What of the audit log's chain is noted outside of it, each under a seal: the last event that was removed as old, and
-- one that it had reached.
CREATE TABLE audit_note (
    place  TEXT PRIMARY KEY CHECK (place IN ('anchor', 'head')),
    number INTEGER NOT NULL,
    mac    BLOB NOT NULL,
    seal   BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX audit_user ON audit (user, id);

-- Groups of whose members administrators require protection, from the moment demanded on. name is as it was then.
CREATE TABLE required_group (
    gid      INTEGER PRIMARY KEY,
    name     TEXT NOT NULL,
    demanded INTEGER NOT NULL,
    set_by   TEXT NOT NULL,
    set_at   INTEGER NOT NULL
) STRICT;

-- Imports. An open one counts for nothing; a decided one is completed; of a dropped one the entries are still removed.
CREATE TABLE import (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    state   TEXT NOT NULL CHECK (state IN ('open', 'decided', 'dropped')),
    by      TEXT NOT NULL,
    entries INTEGER NOT NULL,
    skipped INTEGER NOT NULL
) STRICT;

-- What is not applied yet.
CREATE TABLE import_entry (
    import    INTEGER NOT NULL REFERENCES import (id),
    number    INTEGER NOT NULL,
    uid       INTEGER NOT NULL,
    name      TEXT NOT NULL,
    key       BLOB NOT NULL,
    algorithm TEXT NOT NULL,
    digits    INTEGER NOT NULL,
    period    INTEGER NOT NULL,
    drift     INTEGER NOT NULL,
    last_step INTEGER,
    device    TEXT,
    PRIMARY KEY (import, number)
) STRICT, WITHOUT ROWID;

CREATE INDEX import_entry_uid ON import_entry (import, uid);
