from typing import Any

from django.core.management.base import BaseCommand

from credits import card_table


class Command(BaseCommand):
    help = "Write the rate cards of subjects that have none. Safe to repeat; migrate does it too."

    def handle(self, *args: Any, **options: Any) -> None:
        for subject in card_table.seed():
            self.stdout.write(subject)
