"""Accounts, entries and holds. `credits.ledger` is the only code that writes them."""

import uuid
from typing import ClassVar

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Case, F, Q, Value, When

from workers.clock import AppNow


class Account(models.Model):
    """One owner's running totals, and the row that every movement locks first.

    `balance` is what can be spent: a hold has already left it. At every commit, with sums over the owner's entries:

    - balance - receivable = Σ amount, and one of the two is 0;
    - held = Σ held_amount = Σ amount of the open holds;
    - spent = -Σ amount of the kinds hold, capture, release and refund, so it counts what is held.

    The newest entry carries the same figures, so the account can always be rebuilt from it.
    """

    owner = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, primary_key=True, related_name="credit_account"
    )
    balance = models.BigIntegerField(default=0)
    held = models.BigIntegerField(default=0)
    # Owed to us after a chargeback that the balance didn't cover; no hold is taken until it is paid.
    receivable = models.BigIntegerField(default=0)
    spent = models.BigIntegerField(default=0)
    # The newest entry's time: entries of one account never go back in time, whoever waited for the lock.
    moved_at = models.DateTimeField(db_default=AppNow())

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(balance__gte=0), name="credits_account_balance_not_negative"),
            models.CheckConstraint(condition=Q(held__gte=0), name="credits_account_held_not_negative"),
            models.CheckConstraint(
                condition=Q(receivable__gte=0), name="credits_account_receivable_not_negative"
            ),
            models.CheckConstraint(
                condition=Q(balance=0) | Q(receivable=0), name="credits_account_pays_what_it_owes"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.owner_id}: {self.balance}"


class HoldGroup(models.Model):
    """Holds taken together by one conditional update of their sum; each is closed alone."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    key = models.CharField(max_length=200)
    created_at = models.DateTimeField(db_default=AppNow())

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["owner", "key"], name="credits_holdgroup_key_once"),
        ]

    def __str__(self) -> str:
        return self.key


class Hold(models.Model):
    """Credits set aside for one job: open, then captured or released by exactly one entry."""

    class State(models.TextChoices):
        OPEN = "open"
        CAPTURED = "captured"
        RELEASED = "released"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    group = models.ForeignKey(HoldGroup, on_delete=models.PROTECT, null=True, related_name="holds")
    subject_id = models.UUIDField()
    state = models.CharField(max_length=8, choices=State.choices, default=State.OPEN)
    amount = models.BigIntegerField()
    captured = models.BigIntegerField(default=0)
    refunded = models.BigIntegerField(default=0)
    # No index: which entry closes a hold is unique by the entry's own constraint.
    closed_by = models.ForeignKey(
        "Entry", on_delete=models.PROTECT, null=True, related_name="+", db_index=False
    )
    created_at = models.DateTimeField(db_default=AppNow())
    closed_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(amount__gte=0), name="credits_hold_amount_not_negative"),
            models.CheckConstraint(
                condition=Q(captured__gte=0, captured__lte=F("amount")),
                name="credits_hold_captured_within_amount",
            ),
            models.CheckConstraint(
                condition=Q(refunded__gte=0, refunded__lte=F("captured")),
                name="credits_hold_refunded_within_captured",
            ),
            models.CheckConstraint(
                condition=Q(state="open", closed_by=None, closed_at=None, captured=0)
                | Q(state="captured", closed_by__isnull=False, closed_at__isnull=False)
                | Q(state="released", closed_by__isnull=False, closed_at__isnull=False, captured=0),
                name="credits_hold_closed_by_an_entry",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.id} {self.state}"


class Entry(models.Model):
    """One movement of an account. Only inserted: a trigger refuses UPDATE, DELETE and TRUNCATE.

    | kind                         | amount (to the balance) | held_amount  |
    |------------------------------|-------------------------|--------------|
    | grant, purchase              | + credits               | 0            |
    | hold                         | - hold                  | + hold       |
    | capture (closes a hold)      | + hold - captured       | - hold       |
    | release (closes a hold)      | + hold                  | - hold       |
    | refund (of a captured hold)  | + credits               | 0            |
    | adjustment (also chargeback) | ± credits               | 0            |
    | expiry                       | - credits               | 0            |
    """

    class Kind(models.TextChoices):
        GRANT = "grant"
        PURCHASE = "purchase"
        HOLD = "hold"
        CAPTURE = "capture"
        RELEASE = "release"
        REFUND = "refund"
        ADJUSTMENT = "adjustment"
        EXPIRY = "expiry"

    id = models.BigAutoField(primary_key=True)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    # Names the movement: the same movement asked for twice is written once.
    key = models.CharField(max_length=200)
    kind = models.CharField(max_length=10, choices=Kind.choices)
    # What the owner reads instead of the kind.
    shown_kind = models.GeneratedField(
        expression=Case(
            When(kind="hold", then=Value("video_generation")),
            When(kind="release", then=Value("refund")),
            default=F("kind"),
        ),
        output_field=models.CharField(max_length=16),
        db_persist=True,
    )
    amount = models.BigIntegerField()
    held_amount = models.BigIntegerField(default=0)
    # The account after this entry; negative by what is receivable.
    balance_after = models.BigIntegerField()
    held_after = models.BigIntegerField()
    spent_after = models.BigIntegerField()
    hold = models.ForeignKey(
        Hold, on_delete=models.PROTECT, null=True, related_name="entries", db_index=False
    )
    subject_id = models.UUIDField(null=True)
    note = models.CharField(max_length=500, blank=True)
    operator = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+", db_index=False
    )
    # The rate card versions a price came from, and its parts with the factors used.
    rate_card_ids = ArrayField(models.BigIntegerField(), default=list)
    breakdown = models.JSONField(default=list)
    created_at = models.DateTimeField(db_default=AppNow())

    class Meta:
        verbose_name_plural = "entries"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["owner", "key"], name="credits_entry_key_once"),
            # A payment pays one account, and an identity gets its free credits once.
            models.UniqueConstraint(
                fields=["key"], condition=Q(kind__in=["grant", "purchase"]), name="credits_entry_source_once"
            ),
            models.UniqueConstraint(
                fields=["hold"],
                condition=Q(kind__in=["capture", "release"]),
                name="credits_entry_one_closing",
            ),
            models.UniqueConstraint(
                fields=["hold"], condition=Q(kind="hold"), name="credits_entry_one_opening"
            ),
            models.CheckConstraint(
                condition=Q(kind__in=["grant", "purchase"], amount__gt=0, held_amount=0, hold=None)
                | Q(kind="hold", amount__lte=0, held_amount=-F("amount"), hold__isnull=False)
                | Q(kind="capture", amount__gte=0, held_amount__lte=-F("amount"), hold__isnull=False)
                | Q(kind="release", amount__gte=0, held_amount=-F("amount"), hold__isnull=False)
                | Q(kind="refund", amount__gt=0, held_amount=0, hold__isnull=False)
                | Q(kind="adjustment", held_amount=0, hold=None) & ~Q(amount=0)
                | Q(kind="expiry", amount__lt=0, held_amount=0, hold=None),
                name="credits_entry_amounts_fit_kind",
            ),
            models.CheckConstraint(condition=Q(held_after__gte=0), name="credits_entry_held_not_negative"),
        ]
        # The list, each of its filters, and a subject's few entries, all newest first.
        indexes: ClassVar = [
            models.Index(fields=["owner", "-created_at", "-id"], name="credits_entry_list"),
            models.Index(fields=["owner", "shown_kind", "-created_at", "-id"], name="credits_entry_by_kind"),
            models.Index(
                fields=["owner", "subject_id", "-created_at", "-id"],
                name="credits_entry_by_subject",
                condition=Q(subject_id__isnull=False),
            ),
            models.Index(fields=["hold"], name="credits_entry_refunds", condition=Q(kind="refund")),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.amount}"
