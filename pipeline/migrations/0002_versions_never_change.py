"""A version of a plan is what it is: no statement changes or deletes one."""

from django.db import migrations

FORWARD = """
CREATE FUNCTION pipeline_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER pipeline_planversion_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON pipeline_planversion
FOR EACH STATEMENT EXECUTE FUNCTION pipeline_refuse_change();
"""
BACKWARD = """
DROP TRIGGER pipeline_planversion_append_only ON pipeline_planversion;
DROP FUNCTION pipeline_refuse_change();
"""


class Migration(migrations.Migration):
    dependencies = [("pipeline", "0001_initial")]

    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
