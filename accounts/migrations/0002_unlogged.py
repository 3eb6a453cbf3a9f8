"""Request counts are worth nothing after a crash, so they needn't be written to the log before it."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("accounts", "0001_initial")]
    operations = [
        migrations.RunSQL(
            "ALTER TABLE accounts_requestcount SET UNLOGGED", "ALTER TABLE accounts_requestcount SET LOGGED"
        ),
    ]
