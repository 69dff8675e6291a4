PRAGMA application_id = 1869901924;
PRAGMA user_version = 1;
PRAGMA foreign_keys = OFF;
CREATE TABLE data_key (
    id      INTEGER PRIMARY KEY CHECK (id = 1),
    wrapped BLOB NOT NULL,
    next    BLOB
) STRICT;
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
CREATE INDEX device_live ON device (account, id) WHERE state <> 'retired';
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
CREATE TABLE audit_note (
    place  TEXT PRIMARY KEY CHECK (place IN ('anchor', 'head')),
    number INTEGER NOT NULL,
    mac    BLOB NOT NULL,
    seal   BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX audit_user ON audit (user, id);
CREATE TABLE required_group (
    gid      INTEGER PRIMARY KEY,
    name     TEXT NOT NULL,
    demanded INTEGER NOT NULL,
    set_by   TEXT NOT NULL,
    set_at   INTEGER NOT NULL
) STRICT;
CREATE TABLE import (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    state   TEXT NOT NULL CHECK (state IN ('open', 'decided', 'dropped')),
    by      TEXT NOT NULL,
    entries INTEGER NOT NULL,
    skipped INTEGER NOT NULL
) STRICT;
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
INSERT INTO account (admitted, admitted_by, announce, emails, enrol, enrol_tries, enrol_until, former, grace_since, id, language, mailed, name, next_device, recovered, recovery, stepped_up, uid, warned_no_code, warned_reuse) VALUES (1800000000, 'phone', 'hello
two
one again', 4, X'03030303030303030303030303030303', 1, 1800000600, NULL, 5, 1, 'zh_CN', X'000000006B49D45805050505050505050505050505050505000000006B49D45906060606060606060606060606060606', 'alice', 3, 1800000000, X'0100000000000000000101010101010101010101010101010102000000006B49D20002020202020202020202020202020202', 6, 1000, 1800000000, 1800000000);
INSERT INTO account (admitted, admitted_by, announce, emails, enrol, enrol_tries, enrol_until, former, grace_since, id, language, mailed, name, next_device, recovered, recovery, stepped_up, uid, warned_no_code, warned_reuse) VALUES (NULL, NULL, NULL, 0, NULL, NULL, NULL, 'bob (uid 1001)', NULL, 2, NULL, NULL, NULL, 2, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO account (admitted, admitted_by, announce, emails, enrol, enrol_tries, enrol_until, former, grace_since, id, language, mailed, name, next_device, recovered, recovery, stepped_up, uid, warned_no_code, warned_reuse) VALUES (NULL, NULL, NULL, 0, NULL, NULL, NULL, NULL, NULL, 3, NULL, NULL, 'carol', 2, NULL, NULL, NULL, 1002, NULL, NULL);
INSERT INTO audit (actor, address, at, decision, detail, device, id, kind, lane, mac, reason, service, uid, user) VALUES ('sshd', '192.0.2.1', 3, 'refuse', NULL, NULL, 7, 'login', 'unknown', X'D531C9DE096C3ECC0C69ED0997C990E8', 'code_wrong', 'sshd', NULL, 'carol');
INSERT INTO audit (actor, address, at, decision, detail, device, id, kind, lane, mac, reason, service, uid, user) VALUES ('sshd', '192.0.2.1', 4, 'refuse', NULL, NULL, 8, 'login', 'unknown', X'870B0D570E1E9FF5F7A99803EA7F6CA0', 'code_wrong', 'sshd', NULL, 'carol');
INSERT INTO audit (actor, address, at, decision, detail, device, id, kind, lane, mac, reason, service, uid, user) VALUES ('sshd', '192.0.2.1', 5, 'refuse', NULL, NULL, 9, 'login', 'unknown', X'A5EC29F4EBC7D07CBB5BECED99944AE5', 'code_wrong', 'sshd', NULL, 'carol');
INSERT INTO audit_note (mac, number, place, seal) VALUES (X'1DB8EF76BBB0059922BB006C56A04942', 6, 'anchor', X'0CFE503616736F9D3BA1AFF8E6FD6BFD');
INSERT INTO audit_note (mac, number, place, seal) VALUES (X'00000000000000000000000000000000', 0, 'head', X'0F8C8F765158BC5A0AD5563D7ACD621E');
INSERT INTO data_key (id, next, wrapped) VALUES (1, NULL, X'');
INSERT INTO device (account, activated, algorithm, created, created_by, created_from, digits, drift, expires, id, key, kind, last_address, last_service, last_step, last_used, leaning, name, needs_resync, period, replaces, retired, retired_by, state, tries) VALUES (1, 1800000000, 'SHA512', 1800000000, 'alice', 'account.sock', 8, -3, NULL, 1, X'010203', 'totp', '::1', 'sshd', 4294967302, 1800000000, 1, 'phone', 0, 60, NULL, NULL, NULL, 'active', 0);
INSERT INTO device (account, activated, algorithm, created, created_by, created_from, digits, drift, expires, id, key, kind, last_address, last_service, last_step, last_used, leaning, name, needs_resync, period, replaces, retired, retired_by, state, tries) VALUES (1, NULL, 'SHA1', 1800000000, 'root', 'account.sock', 6, 0, 1800000600, 2, X'', 'hotp', NULL, NULL, 4, NULL, 0, 'téléphone', 1, 0, 1, NULL, NULL, 'pending', 0);
INSERT INTO device (account, activated, algorithm, created, created_by, created_from, digits, drift, expires, id, key, kind, last_address, last_service, last_step, last_used, leaning, name, needs_resync, period, replaces, retired, retired_by, state, tries) VALUES (2, 1800000000, 'SHA512', 1800000000, 'alice', 'account.sock', 8, 0, NULL, 1, X'', 'totp', NULL, NULL, NULL, NULL, 0, 'phone', 0, 60, NULL, 1800000000, 'root', 'retired', 0);
INSERT INTO device (account, activated, algorithm, created, created_by, created_from, digits, drift, expires, id, key, kind, last_address, last_service, last_step, last_used, leaning, name, needs_resync, period, replaces, retired, retired_by, state, tries) VALUES (3, 1800000000, 'SHA512', 1800000000, 'alice', 'account.sock', 8, 0, NULL, 1, X'010203', 'totp', NULL, NULL, NULL, NULL, 0, 'téléphone', 0, 60, NULL, NULL, NULL, 'active', 0);
INSERT INTO email (account, added, address, code, expires, number, recovers, removed, tries) VALUES (1, 1800000000, X'010101010101010101', NULL, NULL, 1, 1800000000, NULL, NULL);
INSERT INTO email (account, added, address, code, expires, number, recovers, removed, tries) VALUES (1, 1800000000, X'020202020202020202', NULL, NULL, 2, NULL, 1800003600, NULL);
INSERT INTO email (account, added, address, code, expires, number, recovers, removed, tries) VALUES (1, 1800000000, X'030303030303030303', NULL, NULL, 3, NULL, 1800003600, NULL);
INSERT INTO email (account, added, address, code, expires, number, recovers, removed, tries) VALUES (1, 1800000000, X'040404040404040404', X'04040404040404040404040404040404', 1800000600, 4, NULL, NULL, 1);
INSERT INTO import (by, entries, id, skipped, state) VALUES ('root', 2, 1, 0, 'decided');
INSERT INTO import_entry (algorithm, device, digits, drift, import, key, last_step, name, number, period, uid) VALUES ('SHA256', 'téléphone', 8, -2, 1, X'070707', 4294967302, 'u1', 1, 60, 1001);
INSERT INTO import_entry (algorithm, device, digits, drift, import, key, last_step, name, number, period, uid) VALUES ('SHA256', NULL, 8, -2, 1, X'070707', 4294967302, 'u2', 2, 60, 1002);
INSERT INTO lane (account, failures, lane, last, mail_tried, mail_tries, mails, refused, refused_spent) VALUES (1, 0, 'known', NULL, NULL, 0, X'000000006B49D200000000006B49D200', NULL, NULL);
INSERT INTO outbox (account, answer, at, expires, id, kind, next, sealed, tries) VALUES (1, NULL, 1800000000, 1800000600, X'01010101010101010101010101010101', 'notice', 1800000000, X'01010101010101010101010101010101010101010101010101010101010101010101010101010101', 0);
INSERT INTO required_group (demanded, gid, name, set_at, set_by) VALUES (1800000000, 100, 'group100', 1800000000, 'root');
INSERT INTO source (account, address, at) VALUES (1, '192.0.2.9', 1800000001);
INSERT INTO source (account, address, at) VALUES (1, '2001:db8::/64', 1800000000);
INSERT INTO ticket (address, agent, code_at, device, expires, host, id, issued, mark, name, parent, password_at, seen, uid) VALUES ('192.0.2.1', 'Mozilla', NULL, 'phone', 1800086400, NULL, 1, 1800000000, X'01010101010101010101010101010101', 'alice', NULL, 1800000000, 1800000000, 1000);
INSERT INTO ticket (address, agent, code_at, device, expires, host, id, issued, mark, name, parent, password_at, seen, uid) VALUES ('192.0.2.1', 'Mozilla', NULL, 'phone', 1800086400, 'nas', 2, 1800000000, X'65656565656565656565656565656565', 'alice', 1, 1800000000, 1800000000, 1000);
