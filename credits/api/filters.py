"""What the ledger's list can be narrowed by; an index serves each."""

import django_filters

from credits.models import Entry

from .serializers import SHOWN_KINDS


class EntryFilter(django_filters.FilterSet):
    kind = django_filters.ChoiceFilter(
        field_name="shown_kind", choices=[(kind, kind) for kind in SHOWN_KINDS]
    )
    subject = django_filters.UUIDFilter(
        field_name="subject_id", label="The generation or render it is about."
    )
    created_after = django_filters.IsoDateTimeFilter(field_name="created_at", lookup_expr="gte")
    created_before = django_filters.IsoDateTimeFilter(field_name="created_at", lookup_expr="lt")

    class Meta:
        model = Entry
        fields: tuple[str, ...] = ()
