"""Money as the API shows it."""

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from credits.ledger import Balance
from credits.models import Entry
from credits.money import Money, in_currency
from credits.verification import Drift, Verification

# What `Entry.shown_kind` makes of the ledger's kinds.
SHOWN_KINDS = ("grant", "purchase", "video_generation", "capture", "refund", "adjustment", "expiry")


class MoneySerializer(serializers.Serializer[Money]):
    amount = serializers.DecimalField(max_digits=20, decimal_places=2)
    currency = serializers.CharField(help_text="ISO 4217.")


@extend_schema_field(MoneySerializer)
class CreditsInMoneyField(serializers.IntegerField):
    """Credits shown as what they are worth."""

    def to_representation(self, value: int) -> object:  # type: ignore[override]
        return MoneySerializer(in_currency(value)).data


class BalanceSerializer(serializers.Serializer[Balance]):
    balance = serializers.IntegerField(
        help_text="What can be spent; a running job's hold has already left it."
    )
    held = serializers.IntegerField(help_text="Set aside for jobs that have not ended.")
    receivable = serializers.IntegerField(
        help_text="Owed after a reversed payment; above 0, spending is suspended."
    )
    spent = serializers.IntegerField(help_text="All that was held or charged, less what came back.")
    balance_value = CreditsInMoneyField(source="balance")
    held_value = CreditsInMoneyField(source="held")
    receivable_value = CreditsInMoneyField(source="receivable")


class BreakdownSerializer(serializers.Serializer[object]):
    label = serializers.CharField()
    credits = serializers.IntegerField()
    factor = serializers.CharField()


class EntrySerializer(serializers.ModelSerializer[Entry]):
    kind = serializers.ChoiceField(choices=SHOWN_KINDS, source="shown_kind")
    balance_after = serializers.IntegerField(help_text="Negative by what is receivable.")
    breakdown = BreakdownSerializer(many=True)

    class Meta:
        model = Entry
        fields = (
            "id",
            "kind",
            "amount",
            "held_amount",
            "balance_after",
            "held_after",
            "subject_id",
            "hold_id",
            "note",
            "rate_card_ids",
            "breakdown",
            "created_at",
        )
        read_only_fields = fields


class DriftSerializer(serializers.Serializer[Drift]):
    what = serializers.CharField()
    kept = serializers.IntegerField(allow_null=True)
    recomputed = serializers.IntegerField(allow_null=True)


class VerificationSerializer(serializers.Serializer[Verification]):
    agrees = serializers.BooleanField(help_text="Whether every figure is what the entries say.")
    entries = serializers.IntegerField()
    holds = serializers.IntegerField()
    drifts = DriftSerializer(many=True)
