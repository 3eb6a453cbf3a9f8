"""The first price of a model that the project has none for; the admin publishes those that follow."""

from decimal import Decimal, InvalidOperation
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import IntegrityError, transaction

from credits.errors import BelowVendorCost
from credits.models import VendorUnit
from credits.rate_cards import RateCardDraft, publish


class Command(BaseCommand):
    help = "Publish a price: the vendor's cost in USD times a markup. It is in force at once; a quote keeps its own."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("subject", help="the model's id, such as replicate/wan-2.2")
        parser.add_argument("cost", help="what the vendor asks, in USD, such as 0.05")
        parser.add_argument("--unit", choices=VendorUnit.values, default=VendorUnit.SECOND.value)
        parser.add_argument("--markup", default="3")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            draft = RateCardDraft(
                vendor_cost=Decimal(options["cost"]),
                vendor_unit=options["unit"],
                markup=Decimal(options["markup"]),
            )
            with transaction.atomic():
                row = publish(options["subject"], draft, operator_id=None)
        except InvalidOperation:
            raise CommandError("The cost and the markup are numbers, such as 0.05 and 3.") from None
        except IntegrityError as error:
            raise CommandError(f"That is no price: {error}") from error
        except BelowVendorCost as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{row.subject} v{row.version}")
