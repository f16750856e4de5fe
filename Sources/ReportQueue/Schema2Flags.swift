/// Migration 2: what a reader should look at in a draft. NULL: the draft was not compared with its findings, as every draft of
/// version 1; '[]': it was, and nothing was found. The rule that a draft does not change (`draft_is_fixed`) covers the column.
let schema2Flags = """
    ALTER TABLE draft ADD COLUMN flags TEXT;      -- [DraftFlag]
    """
