"""`manage.py create_operator EMAIL`: a superuser for the admin."""

import os
from typing import Any

from allauth.account.models import EmailAddress
from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction


class Command(BaseCommand):
    help = "Makes, or updates, the superuser EMAIL with the password in the variable OPERATOR_PASSWORD."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email")

    @transaction.atomic
    def handle(self, *args: Any, **options: Any) -> None:
        password = os.environ.get("OPERATOR_PASSWORD", "")
        if not password:
            raise CommandError("Set the variable OPERATOR_PASSWORD.")
        email = options["email"].lower()
        model = get_user_model()
        user = model.objects.filter(email=email).first()
        if user is None:
            user = model.objects.create_superuser(email, password)
        elif not user.check_password(password):
            user.set_password(password)
            user.save(update_fields=["password"])
        EmailAddress.objects.update_or_create(
            user=user, email=email, defaults={"verified": True, "primary": True}
        )
