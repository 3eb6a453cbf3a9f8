"""The store's own clean-up, a net under ours."""

from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from django.core.management.base import BaseCommand, CommandError

from generations import storage


class Command(BaseCommand):
    help = (
        "Set the bucket's lifecycle rules: outputs go 30 days after they were made, uploads that were never finished "
        "after 2, broken-off transfers after 1. Replaces all rules of the bucket; needs a key with admin permission."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            storage.set_lifecycle()
        except (BotoCoreError, ClientError) as error:
            raise CommandError(f"The store took no lifecycle rules: {error}") from error
        self.stdout.write("The bucket's lifecycle rules are set.")
