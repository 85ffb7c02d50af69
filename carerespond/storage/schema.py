"""The tables, as numbered migrations; each runs in one transaction with its `user_version`.

Times are integers: milliseconds since 1970 UTC. Booleans are 0 and 1. Text columns hold what a
network said, raw; a screen cleans it. `posts.raw` is the record as received.
"""

APPLICATION_ID = 0x43526573  # "CRes": tells our file from any other SQLite file

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """CREATE TABLE cases (
            case_id INTEGER PRIMARY KEY,
            network TEXT NOT NULL,
            account TEXT NOT NULL,
            conversation TEXT NOT NULL,
            author_id TEXT NOT NULL,
            handle TEXT NOT NULL,
            name TEXT NOT NULL DEFAULT '',
            snippet TEXT NOT NULL DEFAULT '',
            head_post INTEGER NOT NULL DEFAULT 0,
            posts INTEGER NOT NULL DEFAULT 1,
            posted_at INTEGER NOT NULL,
            first_seen_at INTEGER NOT NULL,
            state TEXT NOT NULL DEFAULT 'open',
            priority INTEGER NOT NULL,
            score REAL NOT NULL DEFAULT 0,
            rule_priority INTEGER NOT NULL,
            priority_set_by TEXT,
            is_pinned INTEGER NOT NULL DEFAULT 0,
            label TEXT NOT NULL DEFAULT 'other',
            reasons TEXT NOT NULL DEFAULT '[]',
            mentions_us INTEGER NOT NULL DEFAULT 0,
            service TEXT,
            owner TEXT,
            claimed_until INTEGER,
            writing TEXT,
            writing_since INTEGER,
            outcome TEXT,
            closed_at INTEGER,
            snoozed_until INTEGER,
            is_unread INTEGER NOT NULL DEFAULT 1,
            is_starred INTEGER NOT NULL DEFAULT 0,
            is_muted INTEGER NOT NULL DEFAULT 0,
            wrote_again INTEGER NOT NULL DEFAULT 0,
            deleted_at INTEGER,
            send_state TEXT,
            UNIQUE (network, conversation, author_id)
        )""",
        # The order of every list: (state, priority) is a pane, then its order; case_id breaks ties.
        """CREATE INDEX cases_in_order ON cases
            (state, priority, is_pinned DESC, score DESC, posted_at DESC, case_id DESC)""",
        "CREATE INDEX cases_by_author ON cases (network, author_id, posted_at DESC)",
        "CREATE INDEX cases_snoozed ON cases (snoozed_until) WHERE state = 'later'",
        """CREATE TABLE posts (
            post_row INTEGER PRIMARY KEY,
            network TEXT NOT NULL,
            post_id TEXT NOT NULL,
            version_id TEXT NOT NULL,
            author_id TEXT NOT NULL,
            handle TEXT NOT NULL,
            name TEXT NOT NULL DEFAULT '',
            followers INTEGER,
            is_protected INTEGER NOT NULL DEFAULT 0,
            receives_dm INTEGER,
            text TEXT NOT NULL,
            url TEXT,
            lang TEXT,
            created_at INTEGER NOT NULL,
            in_reply_to TEXT,
            conversation TEXT NOT NULL,
            mentions_us INTEGER NOT NULL DEFAULT 0,
            quotes_us INTEGER NOT NULL DEFAULT 0,
            is_ours INTEGER NOT NULL DEFAULT 0,
            is_edited INTEGER NOT NULL DEFAULT 0,
            has_link INTEGER NOT NULL DEFAULT 0,
            reply_settings TEXT NOT NULL DEFAULT 'everyone',
            likes INTEGER NOT NULL DEFAULT 0,
            reposts INTEGER NOT NULL DEFAULT 0,
            replies INTEGER NOT NULL DEFAULT 0,
            first_seen_at INTEGER NOT NULL,
            deleted_at INTEGER,
            case_id INTEGER REFERENCES cases (case_id),
            raw BLOB NOT NULL DEFAULT x'',
            UNIQUE (network, post_id)
        )""",
        "CREATE INDEX posts_by_conversation ON posts (network, conversation, created_at)",
        "CREATE INDEX posts_by_case ON posts (case_id, created_at)",
        """CREATE TABLE matches (
            post_row INTEGER NOT NULL REFERENCES posts (post_row),
            source_id TEXT NOT NULL,
            matched_at INTEGER NOT NULL,
            PRIMARY KEY (post_row, source_id)
        ) WITHOUT ROWID""",
        """CREATE VIRTUAL TABLE posts_words USING fts5 (
            text, handle, name, content = 'posts', content_rowid = 'post_row',
            tokenize = "unicode61 remove_diacritics 2"
        )""",
        """CREATE TRIGGER posts_added AFTER INSERT ON posts BEGIN
            INSERT INTO posts_words (rowid, text, handle, name)
            VALUES (new.post_row, new.text, new.handle, new.name);
        END""",
        """CREATE TRIGGER posts_removed AFTER DELETE ON posts BEGIN
            INSERT INTO posts_words (posts_words, rowid, text, handle, name)
            VALUES ('delete', old.post_row, old.text, old.handle, old.name);
        END""",
        """CREATE TRIGGER posts_changed AFTER UPDATE OF text, handle, name ON posts
        WHEN old.text <> new.text OR old.handle <> new.handle OR old.name <> new.name BEGIN
            INSERT INTO posts_words (posts_words, rowid, text, handle, name)
            VALUES ('delete', old.post_row, old.text, old.handle, old.name);
            INSERT INTO posts_words (rowid, text, handle, name)
            VALUES (new.post_row, new.text, new.handle, new.name);
        END""",
        # Counts are kept, never counted: a pane of 100,000 costs what a pane of 10 costs.
        """CREATE TABLE counts (
            state TEXT NOT NULL, priority INTEGER NOT NULL, cases INTEGER NOT NULL,
            PRIMARY KEY (state, priority)
        ) WITHOUT ROWID""",
        """CREATE TRIGGER cases_added AFTER INSERT ON cases BEGIN
            INSERT INTO counts VALUES (new.state, new.priority, 1)
            ON CONFLICT (state, priority) DO UPDATE SET cases = cases + 1;
        END""",
        """CREATE TRIGGER cases_removed AFTER DELETE ON cases BEGIN
            UPDATE counts SET cases = cases - 1
            WHERE state = old.state AND priority = old.priority;
        END""",
        """CREATE TRIGGER cases_moved AFTER UPDATE OF state, priority ON cases
        WHEN old.state <> new.state OR old.priority <> new.priority BEGIN
            UPDATE counts SET cases = cases - 1
            WHERE state = old.state AND priority = old.priority;
            INSERT INTO counts VALUES (new.state, new.priority, 1)
            ON CONFLICT (state, priority) DO UPDATE SET cases = cases + 1;
        END""",
        # The change feed: every screen follows it; see storage/feed.py.
        """CREATE TABLE changes (
            seq INTEGER PRIMARY KEY AUTOINCREMENT,
            kind TEXT NOT NULL,
            case_id INTEGER,
            changed_at INTEGER NOT NULL
        )""",
        """CREATE TABLE labels (
            case_id INTEGER NOT NULL REFERENCES cases (case_id),
            label TEXT NOT NULL,
            PRIMARY KEY (case_id, label)
        ) WITHOUT ROWID""",
        """CREATE TABLE notes (
            note_id INTEGER PRIMARY KEY,
            case_id INTEGER NOT NULL REFERENCES cases (case_id),
            operator TEXT NOT NULL,
            text TEXT NOT NULL,
            written_at INTEGER NOT NULL,
            removed_at INTEGER
        )""",
        "CREATE INDEX notes_by_case ON notes (case_id, written_at)",
        """CREATE TABLE drafts (
            case_id INTEGER NOT NULL REFERENCES cases (case_id),
            operator TEXT NOT NULL,
            kind TEXT NOT NULL,
            text TEXT NOT NULL,
            fingerprint TEXT NOT NULL DEFAULT '',
            thread TEXT NOT NULL DEFAULT '[]',
            started_at INTEGER NOT NULL,
            saved_at INTEGER NOT NULL,
            version INTEGER NOT NULL DEFAULT 1,
            discarded_at INTEGER,
            PRIMARY KEY (case_id, operator, kind)
        )""",
        # Rule R5: nothing is ever deleted from the outbox.
        """CREATE TABLE outbox (
            outbox_id INTEGER PRIMARY KEY,
            case_id INTEGER NOT NULL REFERENCES cases (case_id),
            network TEXT NOT NULL,
            account TEXT NOT NULL,
            kind TEXT NOT NULL,
            purpose TEXT NOT NULL DEFAULT 'reply',
            in_reply_to TEXT NOT NULL,
            handle TEXT NOT NULL,
            text TEXT NOT NULL,
            key TEXT NOT NULL UNIQUE,
            state TEXT NOT NULL CHECK (state IN
                ('queued', 'sending', 'sent', 'unknown', 'refused', 'taken back', 'not sent',
                 'hand-off')),
            operator TEXT NOT NULL,
            session TEXT NOT NULL,
            queued_at INTEGER NOT NULL,
            send_at INTEGER NOT NULL,
            attempt INTEGER NOT NULL DEFAULT 0,
            fence INTEGER NOT NULL DEFAULT 0,
            started_at INTEGER,
            finished_at INTEGER,
            remote_id TEXT,
            problem TEXT,
            price_usd REAL NOT NULL DEFAULT 0,
            draft_version INTEGER NOT NULL DEFAULT 0,
            second_reason TEXT,
            CHECK (state <> 'sent' OR (remote_id IS NOT NULL AND remote_id <> ''))
        )""",
        # Rule R2: one live answer an account, post and purpose; a second one needs a reason.
        """CREATE UNIQUE INDEX outbox_once ON outbox (account, in_reply_to, purpose)
            WHERE state NOT IN ('taken back', 'refused') AND second_reason IS NULL""",
        "CREATE INDEX outbox_by_state ON outbox (state, send_at)",
        "CREATE INDEX outbox_by_case ON outbox (case_id, queued_at)",
        # Who is running: a session that stops renewing is taken for dead.
        """CREATE TABLE sessions (
            session TEXT PRIMARY KEY,
            operator TEXT NOT NULL DEFAULT '',
            host TEXT NOT NULL,
            pid INTEGER NOT NULL,
            started_at INTEGER NOT NULL,
            expires_at INTEGER NOT NULL
        ) WITHOUT ROWID""",
        """CREATE TABLE leases (
            name TEXT PRIMARY KEY,
            holder TEXT NOT NULL,
            fence INTEGER NOT NULL,
            expires_at INTEGER NOT NULL
        ) WITHOUT ROWID""",
        """CREATE TABLE sources (
            source_id TEXT PRIMARY KEY,
            name TEXT NOT NULL,
            account TEXT NOT NULL,
            query TEXT NOT NULL DEFAULT '',
            health TEXT NOT NULL DEFAULT 'new',
            message TEXT NOT NULL DEFAULT '',
            since_at INTEGER,
            cursor TEXT,
            last_ok_at INTEGER,
            last_post_at INTEGER,
            next_poll_at INTEGER,
            found INTEGER NOT NULL DEFAULT 0,
            retired_at INTEGER
        ) WITHOUT ROWID""",
        """CREATE TABLE gaps (
            gap_id INTEGER PRIMARY KEY,
            source_id TEXT NOT NULL,
            from_at INTEGER NOT NULL,
            to_at INTEGER NOT NULL,
            seen_at INTEGER
        )""",
        """CREATE TABLE ledger (
            ledger_id INTEGER PRIMARY KEY,
            day TEXT NOT NULL,
            account TEXT NOT NULL,
            kind TEXT NOT NULL,
            count INTEGER NOT NULL,
            micro_usd INTEGER NOT NULL,
            charged_at INTEGER NOT NULL
        )""",
        "CREATE INDEX ledger_by_day ON ledger (day)",
        """CREATE TABLE ledger_days (
            day TEXT NOT NULL, account TEXT NOT NULL, micro_usd INTEGER NOT NULL,
            PRIMARY KEY (day, account)
        ) WITHOUT ROWID""",
        # A resource is charged once a UTC day; older days are dropped.
        """CREATE TABLE ledger_seen (
            day TEXT NOT NULL, account TEXT NOT NULL, kind TEXT NOT NULL, resource_id TEXT NOT NULL,
            PRIMARY KEY (day, account, kind, resource_id)
        ) WITHOUT ROWID""",
        """CREATE TABLE rates (
            account TEXT NOT NULL, endpoint TEXT NOT NULL, retry_at INTEGER NOT NULL,
            PRIMARY KEY (account, endpoint)
        ) WITHOUT ROWID""",
        """CREATE TABLE quarantine (
            quarantine_id INTEGER PRIMARY KEY,
            source_id TEXT NOT NULL,
            received_at INTEGER NOT NULL,
            problem TEXT NOT NULL,
            raw BLOB NOT NULL
        )""",
        # Who did what: undo reads it, an audit reads it; rows are only ever added.
        """CREATE TABLE history (
            history_id INTEGER PRIMARY KEY AUTOINCREMENT,
            done_at INTEGER NOT NULL,
            operator TEXT NOT NULL,
            session TEXT NOT NULL,
            action TEXT NOT NULL,
            case_id INTEGER,
            moves TEXT NOT NULL DEFAULT '[]',
            undoes INTEGER,
            detail TEXT NOT NULL DEFAULT ''
        )""",
        "CREATE INDEX history_by_case ON history (case_id, history_id)",
        """CREATE TRIGGER history_kept BEFORE UPDATE ON history BEGIN
            SELECT RAISE (ABORT, 'history is only added to');
        END""",
        """CREATE TRIGGER history_whole BEFORE DELETE ON history BEGIN
            SELECT RAISE (ABORT, 'history is only added to');
        END""",
        """CREATE TABLE own_posts (
            network TEXT NOT NULL, account TEXT NOT NULL, post_id TEXT NOT NULL,
            in_reply_to TEXT, text TEXT NOT NULL, created_at INTEGER NOT NULL,
            PRIMARY KEY (network, post_id)
        ) WITHOUT ROWID""",
        """CREATE TABLE settings (
            name TEXT PRIMARY KEY, value TEXT NOT NULL
        ) WITHOUT ROWID""",
    ),
    (
        # From this post on the posts of a case count: what came before it was closed is seen to.
        "ALTER TABLE cases ADD COLUMN counts_from INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE posts ADD COLUMN is_repost INTEGER NOT NULL DEFAULT 0",
        """UPDATE posts SET is_repost = 1 WHERE instr(raw, CAST('"retweeted"' AS BLOB)) > 0""",
        # As far as history tells; where it does not, all posts count, which hides nothing.
        """UPDATE cases SET counts_from = coalesce((
            SELECT min(post_row) FROM posts WHERE posts.case_id = cases.case_id
            AND posts.first_seen_at > (SELECT max(done_at) FROM history
                WHERE history.case_id = cases.case_id
                AND history.moves LIKE '%"state",%,"done",%')
            AND NOT EXISTS (SELECT 1 FROM history WHERE history.case_id = cases.case_id
                AND history.moves LIKE '%"state","done",%')
        ), 0) WHERE posts > 1 AND state <> 'done'""",
        # By which rules the cases there are were placed is not known.
        """INSERT INTO settings SELECT 'rules_marks', '?' WHERE EXISTS (SELECT 1 FROM cases)""",
    ),
)
