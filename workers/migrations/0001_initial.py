"""The clock that every due date, lease and expiry is measured by."""

from django.db import migrations

CLOCK = """
CREATE TABLE workers_clock (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    moved_by interval NOT NULL DEFAULT interval '0'
);
INSERT INTO workers_clock DEFAULT VALUES;
CREATE FUNCTION app_now() RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE
    AS 'SELECT statement_timestamp() + (SELECT moved_by FROM workers_clock)';
"""


class Migration(migrations.Migration):
    initial = True
    dependencies = []
    operations = [
        migrations.RunSQL(CLOCK, "DROP FUNCTION app_now(); DROP TABLE workers_clock;"),
    ]
