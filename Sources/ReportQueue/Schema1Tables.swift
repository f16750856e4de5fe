/// Migration 1: the tables. Times are milliseconds since 1970 UTC; JSON columns hold ReportModel values.
/// What moves how, and what never changes: `schema1Rules`.
let schema1Tables = """
    CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;

    CREATE TABLE study (
        id INTEGER PRIMARY KEY,
        study_instance_uid TEXT NOT NULL UNIQUE CHECK (study_instance_uid <> ''),
        accession_number TEXT NOT NULL,
        patient_id TEXT NOT NULL,
        patient TEXT NOT NULL,                    -- PatientIdentity, as first received; never filled in
        description TEXT NOT NULL,                -- StudyDescription, as first received
        identity_conflict TEXT,                   -- why a human must look; NULL: nothing in doubt
        identity_released_by TEXT,                -- who said the identity is right
        priority INTEGER NOT NULL DEFAULT 0,      -- larger is sooner
        late_instances INTEGER NOT NULL DEFAULT 0 CHECK (late_instances >= 0),
        received_at INTEGER NOT NULL,
        last_received_at INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX study_received ON study (received_at);
    CREATE INDEX study_accession ON study (accession_number);
    CREATE INDEX study_patient ON study (patient_id, identity_conflict, patient);

    CREATE TABLE instance (
        id INTEGER PRIMARY KEY,
        study_id INTEGER NOT NULL REFERENCES study,
        sop_instance_uid TEXT NOT NULL UNIQUE CHECK (sop_instance_uid <> ''),
        sop_class_uid TEXT NOT NULL,
        series_instance_uid TEXT NOT NULL,
        transfer_syntax_uid TEXT NOT NULL,
        description TEXT NOT NULL,                -- InstanceDescription
        relative_path TEXT NOT NULL UNIQUE CHECK (relative_path <> ''),
        byte_count INTEGER NOT NULL CHECK (byte_count >= 0),
        sha256 TEXT NOT NULL,                     -- of the data set
        calling_ae_title TEXT NOT NULL,
        called_ae_title TEXT NOT NULL,
        peer_address TEXT NOT NULL,
        received_at INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX instance_study ON instance (study_id);

    CREATE TABLE quarantine (
        id INTEGER PRIMARY KEY,
        sop_instance_uid TEXT NOT NULL,
        study_instance_uid TEXT NOT NULL,
        reason TEXT NOT NULL,
        relative_path TEXT NOT NULL UNIQUE,
        byte_count INTEGER NOT NULL,
        sha256 TEXT NOT NULL,
        calling_ae_title TEXT NOT NULL,
        peer_address TEXT NOT NULL,
        received_at INTEGER NOT NULL,
        UNIQUE (sop_instance_uid, sha256)
    ) STRICT;

    CREATE TABLE job (
        id INTEGER PRIMARY KEY,
        study_id INTEGER NOT NULL REFERENCES study,
        state TEXT NOT NULL CHECK (state IN ('waiting', 'ready', 'claimed', 'drafted', 'no-draft')),
        attempt INTEGER NOT NULL DEFAULT 0 CHECK (attempt >= 0),
        not_before INTEGER NOT NULL DEFAULT 0,    -- back-off
        owner TEXT,
        lease_until INTEGER,
        reopened INTEGER NOT NULL DEFAULT 0 CHECK (reopened IN (0, 1)),
        no_draft_reason TEXT,
        detail TEXT,
        last_error TEXT,
        created_at INTEGER NOT NULL,
        changed_at INTEGER NOT NULL,
        CHECK ((state = 'claimed') = (owner IS NOT NULL)),
        CHECK ((state = 'claimed') = (lease_until IS NOT NULL)),
        CHECK ((state = 'no-draft') = (no_draft_reason IS NOT NULL AND no_draft_reason <> '')),
        CHECK (reopened = 0 OR state = 'claimed')
    ) STRICT;
    CREATE UNIQUE INDEX job_one_open ON job (study_id) WHERE state IN ('waiting', 'ready', 'claimed');
    CREATE INDEX job_study ON job (study_id);
    CREATE INDEX job_state ON job (state, not_before);

    CREATE TABLE draft (
        id INTEGER PRIMARY KEY,
        study_id INTEGER NOT NULL REFERENCES study,
        job_id INTEGER NOT NULL UNIQUE REFERENCES job,
        instance_id INTEGER NOT NULL REFERENCES instance,
        text TEXT NOT NULL,
        findings TEXT NOT NULL,                   -- [Finding], every score
        prompt_findings TEXT NOT NULL,
        provenance TEXT NOT NULL,                 -- DraftProvenance
        created_at INTEGER NOT NULL
    ) STRICT;

    CREATE TABLE account (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE CHECK (name <> ''),
        role TEXT NOT NULL CHECK (role IN ('radiologist', 'admin', 'service')),
        person_name TEXT NOT NULL,
        organization TEXT NOT NULL,
        cost_rounds INTEGER NOT NULL,
        cost_block_size INTEGER NOT NULL,
        cost_parallelism INTEGER NOT NULL,
        salt BLOB NOT NULL CHECK (length(salt) >= 16),
        password_hash BLOB NOT NULL CHECK (length(password_hash) >= 32),
        failures INTEGER NOT NULL DEFAULT 0,
        locked_until INTEGER NOT NULL DEFAULT 0,
        disabled INTEGER NOT NULL DEFAULT 0 CHECK (disabled IN (0, 1)),
        created_at INTEGER NOT NULL,
        changed_at INTEGER NOT NULL               -- password, role or disabled: earlier proofs of identity end
    ) STRICT;

    -- One row a version. All that goes out stands here as it was when the version came into being.
    CREATE TABLE report (
        id INTEGER PRIMARY KEY,
        study_id INTEGER NOT NULL REFERENCES study,
        version INTEGER NOT NULL CHECK (version >= 1),
        kind TEXT NOT NULL CHECK (kind IN ('draft', 'final', 'corrected')),
        state TEXT NOT NULL CHECK (state IN ('preliminary', 'signed', 'rejected', 'superseded', 'withdrawn')),
        draft_id INTEGER NOT NULL REFERENCES draft,
        predecessor_id INTEGER UNIQUE REFERENCES report,
        text TEXT NOT NULL,
        text_sha256 TEXT NOT NULL CHECK (length(text_sha256) = 64),
        study TEXT NOT NULL,                      -- StudyDescription
        images TEXT NOT NULL,                     -- [InstanceReference], ordered
        key_image TEXT NOT NULL,                  -- InstanceReference
        document_uid TEXT NOT NULL UNIQUE,
        document_series_uid TEXT NOT NULL,
        message_control_id TEXT NOT NULL UNIQUE,
        created_at INTEGER NOT NULL,
        opened_by TEXT,
        opened_at INTEGER,
        decided_by TEXT,
        decided_at INTEGER,
        reason TEXT,
        UNIQUE (study_id, version),
        CHECK (kind = 'draft' OR state = 'signed'),
        CHECK ((version = 1) = (predecessor_id IS NULL)),
        CHECK (kind = 'draft' OR trim(text) <> ''),
        CHECK ((state = 'preliminary') = (decided_by IS NULL)),
        CHECK ((decided_by IS NULL) = (decided_at IS NULL)),
        CHECK ((opened_by IS NULL) = (opened_at IS NULL)),
        CHECK (state <> 'rejected' OR trim(coalesce(reason, '')) <> '')
    ) STRICT;

    -- Who answers for a version. Written before the version it belongs to, in the same transaction.
    CREATE TABLE signature (
        report_id INTEGER PRIMARY KEY REFERENCES report DEFERRABLE INITIALLY DEFERRED,
        account_id INTEGER NOT NULL REFERENCES account,
        user_name TEXT NOT NULL CHECK (user_name <> ''),
        person_name TEXT NOT NULL CHECK (person_name <> ''),
        organization TEXT NOT NULL,
        text_sha256 TEXT NOT NULL CHECK (length(text_sha256) = 64),
        signed_at INTEGER NOT NULL
    ) STRICT;

    CREATE TABLE delivery (
        id INTEGER PRIMARY KEY,
        report_id INTEGER NOT NULL REFERENCES report,
        study_id INTEGER NOT NULL REFERENCES study,
        version INTEGER NOT NULL,
        destination TEXT NOT NULL CHECK (destination <> ''),
        state TEXT NOT NULL CHECK (state IN ('pending', 'sending', 'delivered', 'dead')),
        attempt INTEGER NOT NULL DEFAULT 0 CHECK (attempt >= 0),
        not_before INTEGER NOT NULL,
        owner TEXT,
        lease_until INTEGER,
        last_error TEXT,
        created_at INTEGER NOT NULL,
        changed_at INTEGER NOT NULL,
        UNIQUE (report_id, destination),
        UNIQUE (study_id, version, destination),
        CHECK ((state = 'sending') = (owner IS NOT NULL)),
        CHECK ((state = 'sending') = (lease_until IS NOT NULL)),
        CHECK (state <> 'dead' OR trim(coalesce(last_error, '')) <> '')
    ) STRICT;
    CREATE INDEX delivery_sending ON delivery (lease_until) WHERE state = 'sending';
    CREATE INDEX delivery_due ON delivery (destination, state, not_before);

    -- What was rendered first is what every retry sends.
    CREATE TABLE document (
        report_id INTEGER NOT NULL REFERENCES report,
        kind TEXT NOT NULL CHECK (kind IN ('oru', 'sr')),
        variant TEXT NOT NULL,
        sha256 TEXT NOT NULL CHECK (length(sha256) = 64),
        bytes BLOB NOT NULL,
        created_at INTEGER NOT NULL,
        PRIMARY KEY (report_id, kind, variant)
    ) STRICT;

    CREATE TABLE audit (
        sequence INTEGER PRIMARY KEY CHECK (sequence >= 1),
        at INTEGER NOT NULL,
        code TEXT NOT NULL,                       -- PS3.16 CID 400
        type TEXT NOT NULL,
        action TEXT NOT NULL CHECK (action IN ('C', 'R', 'U', 'D', 'E')),
        outcome INTEGER NOT NULL CHECK (outcome IN (0, 4, 8, 12)),
        actor TEXT NOT NULL,
        study_instance_uid TEXT NOT NULL,
        object TEXT NOT NULL,
        detail TEXT NOT NULL,
        previous_hash TEXT NOT NULL CHECK (length(previous_hash) = 64),
        hash TEXT NOT NULL CHECK (length(hash) = 64)
    ) STRICT;
    CREATE INDEX audit_study ON audit (study_instance_uid);
    CREATE TABLE audit_head (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        sequence INTEGER NOT NULL,
        hash TEXT NOT NULL
    ) STRICT;
    INSERT INTO audit_head VALUES (1, 0, '0000000000000000000000000000000000000000000000000000000000000000');

    -- The three machines seen as one word per study, for listings only.
    CREATE VIEW study_state AS
    SELECT s.id AS study_id, r.id AS report_id, j.id AS job_id,
        CASE
            WHEN r.state = 'preliminary' THEN 'drafted'
            WHEN r.state = 'signed' THEN 'signed'
            WHEN j.state = 'waiting' THEN 'collecting'
            WHEN j.state = 'ready' THEN 'queued'
            WHEN j.state = 'claimed' THEN 'drafting'
            WHEN r.id IS NULL OR j.id > d.job_id THEN 'no-draft'
            ELSE r.state
        END AS state
    FROM study s
    JOIN job j ON j.id = (SELECT max(id) FROM job WHERE study_id = s.id)
    LEFT JOIN report r ON r.study_id = s.id AND r.version = (SELECT max(version) FROM report WHERE study_id = s.id)
    LEFT JOIN draft d ON d.id = r.draft_id;

    """
