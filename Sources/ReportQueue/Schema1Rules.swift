/// Migration 1: the rules as triggers. They say again what JobState, ReportState and DeliveryState say, for every
/// program that opens the file. INSERT OR REPLACE deletes without firing delete triggers unless the connection asks for
/// it, so each protected table refuses the insert of a key it already has.
let schema1Rules = """
    CREATE TRIGGER instance_is_kept BEFORE DELETE ON instance
    BEGIN SELECT RAISE(ABORT, 'an acknowledged object is not deleted'); END;
    CREATE TRIGGER instance_is_fixed BEFORE UPDATE ON instance
    BEGIN SELECT RAISE(ABORT, 'an acknowledged object does not change'); END;
    CREATE TRIGGER instance_is_not_replaced BEFORE INSERT ON instance
    WHEN EXISTS (SELECT 1 FROM instance WHERE id = NEW.id OR sop_instance_uid = NEW.sop_instance_uid OR relative_path = NEW.relative_path)
    BEGIN SELECT RAISE(ABORT, 'an acknowledged object is not replaced'); END;

    CREATE TRIGGER job_begins BEFORE INSERT ON job
    WHEN NEW.state <> 'waiting' OR NEW.attempt <> 0 OR EXISTS (SELECT 1 FROM job WHERE id = NEW.id)
    BEGIN SELECT RAISE(ABORT, 'a job begins as waiting'); END;
    CREATE TRIGGER job_moves BEFORE UPDATE ON job
    WHEN NEW.id <> OLD.id OR NEW.study_id <> OLD.study_id OR NOT (
        (OLD.state = 'waiting' AND NEW.state IN ('waiting', 'ready', 'no-draft'))
        OR (OLD.state = 'ready' AND NEW.state IN ('waiting', 'claimed'))
        OR (OLD.state = 'claimed' AND NEW.state IN ('claimed', 'drafted', 'no-draft', 'ready', 'waiting')))
    BEGIN SELECT RAISE(ABORT, 'a job does not move like this'); END;
    CREATE TRIGGER job_counts_attempts BEFORE UPDATE ON job
    WHEN NEW.attempt <> OLD.attempt + (OLD.state = 'ready' AND NEW.state = 'claimed')
    BEGIN SELECT RAISE(ABORT, 'each claim is one attempt, and only a claim is'); END;
    CREATE TRIGGER job_keeps_owner BEFORE UPDATE ON job
    WHEN OLD.state = 'claimed' AND NEW.state = 'claimed' AND NEW.owner <> OLD.owner
    BEGIN SELECT RAISE(ABORT, 'a claimed job keeps its owner'); END;
    CREATE TRIGGER job_drafted_has_draft BEFORE UPDATE ON job
    WHEN NEW.state = 'drafted' AND NOT EXISTS (SELECT 1 FROM draft WHERE job_id = NEW.id)
    BEGIN SELECT RAISE(ABORT, 'a drafted job has a draft'); END;
    CREATE TRIGGER job_is_kept BEFORE DELETE ON job
    BEGIN SELECT RAISE(ABORT, 'a job is not deleted'); END;

    CREATE TRIGGER draft_is_fixed BEFORE UPDATE ON draft
    BEGIN SELECT RAISE(ABORT, 'a draft does not change'); END;
    CREATE TRIGGER draft_is_kept BEFORE DELETE ON draft
    BEGIN SELECT RAISE(ABORT, 'a draft is not deleted'); END;
    CREATE TRIGGER draft_is_not_replaced BEFORE INSERT ON draft
    WHEN EXISTS (SELECT 1 FROM draft WHERE id = NEW.id OR job_id = NEW.job_id)
    BEGIN SELECT RAISE(ABORT, 'a draft is not replaced'); END;

    CREATE TRIGGER account_is_kept BEFORE DELETE ON account
    BEGIN SELECT RAISE(ABORT, 'a user is disabled, not deleted'); END;
    CREATE TRIGGER account_is_not_replaced BEFORE INSERT ON account
    WHEN EXISTS (SELECT 1 FROM account WHERE id = NEW.id OR name = NEW.name)
    BEGIN SELECT RAISE(ABORT, 'the user exists'); END;
    CREATE TRIGGER account_keeps_name BEFORE UPDATE ON account
    WHEN NEW.id <> OLD.id OR NEW.name <> OLD.name
    BEGIN SELECT RAISE(ABORT, 'a user keeps the name that signatures carry'); END;

    CREATE TRIGGER signature_is_a_readers BEFORE INSERT ON signature
    WHEN NOT EXISTS (
        SELECT 1 FROM account WHERE id = NEW.account_id AND name = NEW.user_name AND role = 'radiologist' AND disabled = 0)
    BEGIN SELECT RAISE(ABORT, 'only an enabled radiologist signs'); END;
    CREATE TRIGGER signature_comes_first BEFORE INSERT ON signature
    WHEN EXISTS (SELECT 1 FROM report WHERE id = NEW.report_id) OR EXISTS (SELECT 1 FROM signature WHERE report_id = NEW.report_id)
    BEGIN SELECT RAISE(ABORT, 'a signature is written with its version, once'); END;
    CREATE TRIGGER signature_is_fixed BEFORE UPDATE ON signature
    BEGIN SELECT RAISE(ABORT, 'a signature does not change'); END;
    CREATE TRIGGER signature_is_kept BEFORE DELETE ON signature
    BEGIN SELECT RAISE(ABORT, 'a signature is not deleted'); END;

    CREATE TRIGGER report_is_not_replaced BEFORE INSERT ON report
    WHEN EXISTS (
        SELECT 1 FROM report WHERE id = NEW.id OR (study_id = NEW.study_id AND version = NEW.version) OR predecessor_id = NEW.predecessor_id
            OR document_uid = NEW.document_uid OR message_control_id = NEW.message_control_id)
    BEGIN SELECT RAISE(ABORT, 'a version of a report is not replaced'); END;
    CREATE TRIGGER report_follows_predecessor BEFORE INSERT ON report
    WHEN NEW.predecessor_id IS NOT NULL AND NOT EXISTS (
        SELECT 1 FROM report WHERE id = NEW.predecessor_id AND study_id = NEW.study_id AND version = NEW.version - 1)
    BEGIN SELECT RAISE(ABORT, 'a version follows the one before it'); END;
    CREATE TRIGGER report_draft_begins BEFORE INSERT ON report
    WHEN NEW.kind = 'draft' AND (NEW.state <> 'preliminary' OR NEW.opened_by IS NOT NULL OR EXISTS (
        SELECT 1 FROM report WHERE study_id = NEW.study_id AND state IN ('preliminary', 'signed')))
    BEGIN SELECT RAISE(ABORT, 'a draft begins preliminary, and never beside an open or signed version'); END;
    CREATE TRIGGER report_final_is_signed BEFORE INSERT ON report
    WHEN NEW.kind <> 'draft' AND NOT EXISTS (
        SELECT 1 FROM signature WHERE report_id = NEW.id AND text_sha256 = NEW.text_sha256 AND user_name = NEW.decided_by)
    BEGIN SELECT RAISE(ABORT, 'nothing is final without a signature under its text'); END;
    CREATE TRIGGER report_final_follows_draft BEFORE INSERT ON report
    WHEN NEW.kind = 'final' AND NOT EXISTS (
        SELECT 1 FROM report WHERE id = NEW.predecessor_id AND kind = 'draft' AND state = 'preliminary')
    BEGIN SELECT RAISE(ABORT, 'the first signed version follows an open draft'); END;
    CREATE TRIGGER report_corrected_follows_signed BEFORE INSERT ON report
    WHEN NEW.kind = 'corrected' AND NOT EXISTS (
        SELECT 1 FROM report WHERE id = NEW.predecessor_id AND kind IN ('final', 'corrected'))
    BEGIN SELECT RAISE(ABORT, 'a correction follows a signed version'); END;
    CREATE TRIGGER report_moves BEFORE UPDATE ON report
    WHEN NOT (OLD.state = 'preliminary' AND NEW.state IN ('preliminary', 'signed', 'rejected', 'superseded', 'withdrawn'))
    BEGIN SELECT RAISE(ABORT, 'a report that was decided on does not change'); END;
    CREATE TRIGGER report_keeps_content BEFORE UPDATE ON report
    WHEN NEW.id <> OLD.id OR NEW.study_id <> OLD.study_id OR NEW.version <> OLD.version OR NEW.kind <> OLD.kind
        OR NEW.draft_id <> OLD.draft_id OR NEW.predecessor_id IS NOT OLD.predecessor_id OR NEW.text <> OLD.text
        OR NEW.text_sha256 <> OLD.text_sha256 OR NEW.study <> OLD.study OR NEW.images <> OLD.images
        OR NEW.key_image <> OLD.key_image OR NEW.document_uid <> OLD.document_uid
        OR NEW.document_series_uid <> OLD.document_series_uid OR NEW.message_control_id <> OLD.message_control_id
        OR NEW.created_at <> OLD.created_at
        OR (OLD.opened_by IS NOT NULL AND (NEW.opened_by IS NOT OLD.opened_by OR NEW.opened_at IS NOT OLD.opened_at))
    BEGIN SELECT RAISE(ABORT, 'the content of a version does not change'); END;
    CREATE TRIGGER report_signed_has_successor BEFORE UPDATE ON report
    WHEN NEW.state = 'signed' AND NOT EXISTS (
        SELECT 1 FROM report s JOIN signature g ON g.report_id = s.id WHERE s.predecessor_id = OLD.id AND s.kind = 'final')
    BEGIN SELECT RAISE(ABORT, 'a draft is signed by the signed version that follows it'); END;
    CREATE TRIGGER report_superseded_unread BEFORE UPDATE ON report
    WHEN NEW.state = 'superseded' AND OLD.opened_by IS NOT NULL
    BEGIN SELECT RAISE(ABORT, 'a draft that somebody opened is not superseded'); END;
    CREATE TRIGGER report_is_kept BEFORE DELETE ON report
    BEGIN SELECT RAISE(ABORT, 'a version of a report is not deleted'); END;

    CREATE TRIGGER delivery_begins BEFORE INSERT ON delivery
    WHEN NEW.state <> 'pending' OR NEW.attempt <> 0
        OR NOT EXISTS (SELECT 1 FROM report WHERE id = NEW.report_id AND study_id = NEW.study_id AND version = NEW.version)
        OR EXISTS (SELECT 1 FROM delivery WHERE id = NEW.id OR (report_id = NEW.report_id AND destination = NEW.destination))
    BEGIN SELECT RAISE(ABORT, 'a delivery begins as pending, once for a version and destination'); END;
    CREATE TRIGGER delivery_moves BEFORE UPDATE ON delivery
    WHEN NEW.id <> OLD.id OR NEW.report_id <> OLD.report_id OR NEW.study_id <> OLD.study_id OR NEW.version <> OLD.version
        OR NEW.destination <> OLD.destination OR NOT (
        (OLD.state = 'pending' AND NEW.state IN ('sending', 'dead'))
        OR (OLD.state = 'sending' AND NEW.state IN ('delivered', 'pending', 'dead'))
        OR (OLD.state = 'dead' AND NEW.state = 'pending'))
    BEGIN SELECT RAISE(ABORT, 'a delivery does not move like this'); END;
    CREATE TRIGGER delivery_counts_attempts BEFORE UPDATE ON delivery
    WHEN NEW.attempt <> OLD.attempt + (OLD.state = 'pending' AND NEW.state = 'sending') AND NOT (OLD.state = 'dead' AND NEW.attempt = 0)
    BEGIN SELECT RAISE(ABORT, 'each claim is one attempt, and only a claim is'); END;
    CREATE TRIGGER delivery_keeps_order BEFORE UPDATE ON delivery
    WHEN NEW.state = 'sending' AND OLD.state <> 'sending' AND EXISTS (
        SELECT 1 FROM delivery e JOIN report r ON r.id = e.report_id
        WHERE e.study_id = NEW.study_id AND e.destination = NEW.destination AND (
            (e.version < NEW.version AND (e.state IN ('pending', 'sending') OR (e.state = 'dead' AND r.kind <> 'draft')))
            OR (e.version > NEW.version AND e.state IN ('sending', 'delivered'))))
    BEGIN SELECT RAISE(ABORT, 'versions of a report never overtake one another'); END;
    CREATE TRIGGER delivery_of_live_report BEFORE UPDATE ON delivery
    WHEN NEW.state = 'sending' AND OLD.state <> 'sending'
        AND EXISTS (SELECT 1 FROM report WHERE id = NEW.report_id AND state IN ('rejected', 'withdrawn'))
    BEGIN SELECT RAISE(ABORT, 'a rejected or withdrawn draft is not sent'); END;
    CREATE TRIGGER delivery_is_kept BEFORE DELETE ON delivery
    BEGIN SELECT RAISE(ABORT, 'a delivery is not deleted'); END;

    CREATE TRIGGER document_is_fixed BEFORE UPDATE ON document
    BEGIN SELECT RAISE(ABORT, 'a rendered document does not change'); END;
    CREATE TRIGGER document_is_kept BEFORE DELETE ON document
    BEGIN SELECT RAISE(ABORT, 'a rendered document is not deleted'); END;
    CREATE TRIGGER document_is_not_replaced BEFORE INSERT ON document
    WHEN EXISTS (SELECT 1 FROM document WHERE report_id = NEW.report_id AND kind = NEW.kind AND variant = NEW.variant)
    BEGIN SELECT RAISE(ABORT, 'a rendered document is not replaced'); END;

    CREATE TRIGGER audit_continues BEFORE INSERT ON audit
    WHEN NOT EXISTS (SELECT 1 FROM audit_head WHERE sequence = NEW.sequence - 1 AND hash = NEW.previous_hash)
    BEGIN SELECT RAISE(ABORT, 'an audit row continues the chain'); END;
    CREATE TRIGGER audit_moves_head AFTER INSERT ON audit
    BEGIN UPDATE audit_head SET sequence = NEW.sequence, hash = NEW.hash; END;
    CREATE TRIGGER audit_is_fixed BEFORE UPDATE ON audit
    BEGIN SELECT RAISE(ABORT, 'an audit row does not change'); END;
    CREATE TRIGGER audit_is_kept BEFORE DELETE ON audit
    BEGIN SELECT RAISE(ABORT, 'an audit row is not deleted'); END;
    CREATE TRIGGER audit_head_follows BEFORE UPDATE ON audit_head
    WHEN NEW.sequence <> OLD.sequence + 1 OR NOT EXISTS (SELECT 1 FROM audit WHERE sequence = NEW.sequence AND hash = NEW.hash)
    BEGIN SELECT RAISE(ABORT, 'the head of the audit chain follows its rows'); END;
    CREATE TRIGGER audit_head_is_kept BEFORE DELETE ON audit_head
    BEGIN SELECT RAISE(ABORT, 'the head of the audit chain is not deleted'); END;
    CREATE TRIGGER audit_head_is_not_replaced BEFORE INSERT ON audit_head
    BEGIN SELECT RAISE(ABORT, 'the head of the audit chain is not replaced'); END;
    """
