import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from credits.verification import BATCH, verify_all


class Command(BaseCommand):
    help = "Recompute every balance and held amount from the ledger's entries; exit 1 on any drift."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--batch", type=int, default=BATCH, help="accounts per statement")

    def handle(self, *args: Any, batch: int, **options: Any) -> None:
        accounts = entries = holds = drifts = 0
        for found in verify_all(batch):
            accounts, entries, holds = accounts + found.accounts, entries + found.entries, holds + found.holds
            for drift in found.drifts:
                if not drifts:
                    self.stdout.write(f"{'account':<36}  {'kept':>14}  {'recomputed':>14}  what")
                drifts += 1
                self.stdout.write(
                    f"{drift.owner_id}  {_shown(drift.kept):>14}  {_shown(drift.recomputed):>14}  {drift.what}"
                )
        for name, count in (
            ("accounts", accounts),
            ("entries", entries),
            ("holds", holds),
            ("drifts", drifts),
        ):
            self.stdout.write(f"{name:<10}{count:>12,}")
        if drifts:
            sys.exit(1)


def _shown(figure: int | None) -> str:
    return "-" if figure is None else f"{figure:,}"
