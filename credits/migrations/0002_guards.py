"""What the ledger's tables refuse whoever asks: changes to entries and to rate cards."""

from django.db import migrations

GUARDS = """
CREATE FUNCTION credits_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation';
END $$;

CREATE TRIGGER credits_entry_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON credits_entry
    FOR EACH STATEMENT EXECUTE FUNCTION credits_refuse_change();
CREATE TRIGGER credits_ratecard_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON credits_ratecard
    FOR EACH STATEMENT EXECUTE FUNCTION credits_refuse_change();

-- Room on the page for the next version of a row that changes often and of which no indexed column changes.
ALTER TABLE credits_account SET (fillfactor = 50);
ALTER TABLE credits_hold SET (fillfactor = 80);
"""

UNDO = """
DROP TRIGGER credits_entry_append_only ON credits_entry;
DROP TRIGGER credits_ratecard_append_only ON credits_ratecard;
DROP FUNCTION credits_refuse_change();
ALTER TABLE credits_account RESET (fillfactor);
ALTER TABLE credits_hold RESET (fillfactor);
"""


class Migration(migrations.Migration):
    dependencies = [("credits", "0001_initial")]
    operations = [migrations.RunSQL(GUARDS, UNDO)]
