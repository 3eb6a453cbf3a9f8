"""The shapes of requests about renders, checked here, and of answers, for the documentation."""

from typing import Any

from rest_framework import serializers

from credits.api.serializers import MoneySerializer
from generations.api.serializers import AssetSerializer, EtaSerializer, Strict
from generations.models import ProjectState
from pipeline.api.render_representation import RENDER_STAGES, SEGMENT_STAGES
from pipeline.api.serializers import WorkErrorSerializer, WorkSerializer
from pipeline.models import RenderStatus, SegmentState, SoundState
from providers.catalogue.sound import SoundKind


class SegmentNamesField(serializers.ListField):
    """Ids of segments, such as s2."""

    child = serializers.RegexField(r"^s[0-9]{1,4}$")


class RenderWishSerializer(Strict):
    """`version`: of the plan, the newest if left out; `redo`: segments to make anew though their clips are there."""

    version = serializers.IntegerField(required=False, min_value=1)
    redo = SegmentNamesField(required=False, max_length=40)


class RenderCreateSerializer(RenderWishSerializer):
    """With the quote that it is made under, or the most that it may cost."""

    quote_id = serializers.UUIDField(required=False)
    max_credits = serializers.IntegerField(required=False, min_value=0)


class RegenerateWishSerializer(Strict):
    """`segments`: which to make anew; those that failed if left out."""

    segments = SegmentNamesField(required=False, max_length=40)


class RegenerateSerializer(RegenerateWishSerializer):
    """With the quote that it is made under, or the most that it may cost."""

    quote_id = serializers.UUIDField(required=False)
    max_credits = serializers.IntegerField(required=False, min_value=0)


class AlternativePriceSerializer(serializers.Serializer[Any]):
    """A model that takes over if the first fails, and what is charged then: never more than was promised."""

    model = serializers.CharField()
    credits = serializers.IntegerField()


class PriceLineSerializer(serializers.Serializer[Any]):
    label = serializers.CharField()
    credits = serializers.IntegerField()
    factor = serializers.CharField()


class RenderPartPriceSerializer(serializers.Serializer[Any]):
    """`part`: a segment's id, `voice:s1`, `effect:s1`, `music` or `composition`; `reused`: it is there already."""

    part = serializers.CharField()
    model = serializers.CharField()
    credits = serializers.IntegerField()
    reused = serializers.BooleanField()
    alternatives = AlternativePriceSerializer(many=True)
    breakdown = PriceLineSerializer(many=True)


class RenderEstimateSerializer(serializers.Serializer[Any]):
    """What a render costs: binding until `expires_at`, once."""

    quote_id = serializers.UUIDField()
    expires_at = serializers.DateTimeField()
    version = serializers.IntegerField()
    credits = serializers.IntegerField()
    money = MoneySerializer()
    balance = serializers.IntegerField()
    affordable = serializers.BooleanField()
    parts = RenderPartPriceSerializer(many=True)
    eta = EtaSerializer()


class RenderSummarySerializer(serializers.Serializer[Any]):
    """A render: where it stands."""

    id = serializers.UUIDField()
    job = serializers.UUIDField()
    project = serializers.UUIDField()
    version = serializers.IntegerField()
    status = serializers.ChoiceField(choices=RenderStatus.choices)
    stage = serializers.ChoiceField(choices=RENDER_STAGES, allow_null=True)
    progress = serializers.IntegerField()
    eta_at = serializers.DateTimeField(allow_null=True)
    credits_quoted = serializers.IntegerField()
    error = WorkErrorSerializer(allow_null=True)
    created_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True)
    expires_at = serializers.DateTimeField(allow_null=True)


class EtaRangeSerializer(serializers.Serializer[Any]):
    earliest_at = serializers.DateTimeField()
    typical_at = serializers.DateTimeField()
    late_at = serializers.DateTimeField()


class RenderCreditsSerializer(serializers.Serializer[Any]):
    quoted = serializers.IntegerField()
    held = serializers.IntegerField()
    used = serializers.IntegerField()
    released = serializers.IntegerField()
    quoted_money = MoneySerializer()


class SegmentCreditsSerializer(serializers.Serializer[Any]):
    quoted = serializers.IntegerField()
    used = serializers.IntegerField()


class RenderSegmentSerializer(serializers.Serializer[Any]):
    """A segment on its way into the film. `stale`: the segment that it continues was made anew since."""

    segment = serializers.CharField()
    position = serializers.IntegerField()
    story = serializers.CharField()
    seconds = serializers.FloatField()
    starts_at_seconds = serializers.FloatField()
    status = serializers.ChoiceField(choices=SegmentState.choices)
    stage = serializers.ChoiceField(choices=SEGMENT_STAGES, allow_null=True)
    progress = serializers.IntegerField()
    eta_at = serializers.DateTimeField(allow_null=True)
    generation = serializers.UUIDField(allow_null=True)
    model = serializers.CharField()
    made_by = serializers.CharField(allow_null=True)
    reused = serializers.BooleanField()
    stale = serializers.BooleanField()
    credits = SegmentCreditsSerializer()
    error = WorkErrorSerializer(allow_null=True)
    video = AssetSerializer(allow_null=True)


class RenderSoundSerializer(serializers.Serializer[Any]):
    """A spoken line, an effect, or the music (which has no segment)."""

    kind = serializers.ChoiceField(choices=[kind.value for kind in SoundKind])
    segment = serializers.CharField(allow_null=True)
    text = serializers.CharField()
    status = serializers.ChoiceField(choices=SoundState.choices)
    model = serializers.CharField()
    reused = serializers.BooleanField()
    credits = serializers.IntegerField()
    seconds = serializers.FloatField(allow_null=True)
    error = WorkErrorSerializer(allow_null=True)


class FindingSerializer(serializers.Serializer[Any]):
    """What its owner and the planner should know."""

    code = serializers.CharField()
    segment = serializers.CharField()
    message = serializers.CharField()


class FinishedFilmSerializer(AssetSerializer):
    """The finished film, with its captions as files where words are spoken."""

    captions_vtt_url = serializers.URLField(allow_null=True)
    captions_srt_url = serializers.URLField(allow_null=True)


class RenderSerializer(RenderSummarySerializer):
    """A render with each of its parts. `waits_until`: when it is ended if its owner does nothing."""

    eta = EtaRangeSerializer(allow_null=True)
    credits = RenderCreditsSerializer()
    segments = RenderSegmentSerializer(many=True)
    sounds = RenderSoundSerializer(many=True)
    findings = FindingSerializer(many=True)
    film = FinishedFilmSerializer(allow_null=True)
    timings = serializers.DictField(child=serializers.FloatField())
    paused_at = serializers.DateTimeField(allow_null=True)
    waits_until = serializers.DateTimeField(allow_null=True)


class RenderCreatedSerializer(RenderSerializer):
    """With what the account has left."""

    balance = serializers.IntegerField()
    account_held = serializers.IntegerField()


class ConsequenceSerializer(serializers.Serializer[Any]):
    part = serializers.CharField()
    returned = serializers.IntegerField()
    charged = serializers.IntegerField()
    undecided = serializers.IntegerField()


class CancelPreviewSerializer(serializers.Serializer[Any]):
    """What cancelling now would do with the credits: `undecided` is with the providers, whose word decides."""

    returned = serializers.IntegerField()
    charged = serializers.IntegerField()
    undecided = serializers.IntegerField()
    parts = ConsequenceSerializer(many=True)


class ProjectProgressSerializer(serializers.Serializer[Any]):
    """Where the project stands, and the work on it that runs."""

    state = serializers.ChoiceField(choices=ProjectState.choices)
    version = serializers.IntegerField(allow_null=True)
    analysis = WorkSerializer(allow_null=True)
    planning = WorkSerializer(allow_null=True)
    chat = WorkSerializer(allow_null=True)
    render = RenderSerializer(allow_null=True)
    clips_running = serializers.IntegerField()
