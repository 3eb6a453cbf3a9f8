"""The shapes of requests, checked here, and of answers, for the documentation."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from credits.api.serializers import MoneySerializer
from generations.api.serializers import Strict
from pipeline.api.representation import STAGES
from pipeline.models import Author, WorkStatus
from pipeline.plans.edits import Edits
from pipeline.plans.film import Film, Preference
from pipeline.understanding.report import Report
from workers.jobs import CANCELLING

WORK_STAGES = [*STAGES, CANCELLING]


@extend_schema_field(Film)  # type: ignore[arg-type]
class FilmField(serializers.JSONField):
    """A plan, as `pipeline.plans.film` has it."""


@extend_schema_field(Report)  # type: ignore[arg-type]
class ReportField(serializers.JSONField):
    """A report, as `pipeline.understanding.report` has it."""


@extend_schema_field(Edits)  # type: ignore[arg-type]
class EditsField(serializers.JSONField):
    """Typed edits, as `pipeline.plans.edits` has them."""


@extend_schema_field({})
class ValueField(serializers.JSONField):
    """A value of any kind."""


class WorkErrorSerializer(serializers.Serializer[Any]):
    code = serializers.CharField()
    message = serializers.CharField()


class WorkCreditsSerializer(serializers.Serializer[Any]):
    quoted = serializers.IntegerField()
    used = serializers.IntegerField()


class WorkSerializer(serializers.Serializer[Any]):
    """Something that is being made for a project: where it stands."""

    id = serializers.UUIDField()
    job = serializers.UUIDField()
    status = serializers.ChoiceField(choices=WorkStatus.choices)
    stage = serializers.ChoiceField(choices=WORK_STAGES, allow_null=True)
    progress = serializers.IntegerField()
    eta_at = serializers.DateTimeField(allow_null=True)
    credits = WorkCreditsSerializer()
    error = WorkErrorSerializer(allow_null=True)
    created_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True)


class SpanSerializer(serializers.Serializer[Any]):
    start_seconds = serializers.FloatField()
    end_seconds = serializers.FloatField()


class ColourSerializer(serializers.Serializer[Any]):
    hex = serializers.CharField()
    share = serializers.FloatField()


class ShotSerializer(SpanSerializer):
    """A shot of the sample; brightness, contrast, saturation and motion from 0 to 1."""

    number = serializers.IntegerField()
    picture_url = serializers.URLField(allow_null=True)
    key_frame_seconds = serializers.FloatField()
    brightness = serializers.FloatField()
    contrast = serializers.FloatField()
    saturation = serializers.FloatField()
    motion = serializers.FloatField()
    colours = ColourSerializer(many=True)
    camera = serializers.CharField()
    cut = serializers.ChoiceField(choices=["start", "hard", "fade"])


class PacingSerializer(serializers.Serializer[Any]):
    cuts_per_minute = serializers.FloatField()
    median_shot_seconds = serializers.FloatField()
    quarters = serializers.ListField(child=serializers.FloatField())
    trend = serializers.ChoiceField(choices=["faster", "slower", "steady"])


class SoundSerializer(serializers.Serializer[Any]):
    codec = serializers.CharField()
    channels = serializers.IntegerField()
    sample_rate = serializers.IntegerField()
    loudness_lufs = serializers.FloatField(allow_null=True)
    loudness_range_lu = serializers.FloatField(allow_null=True)
    true_peak_dbtp = serializers.FloatField(allow_null=True)
    silences = SpanSerializer(many=True)
    speech = SpanSerializer(many=True)
    speech_share = serializers.FloatField()


class MeasurementSerializer(serializers.Serializer[Any]):
    """What was measured of a sample; sizes in pixels as it is seen."""

    container = serializers.CharField()
    video_codec = serializers.CharField()
    width = serializers.IntegerField()
    height = serializers.IntegerField()
    rotation = serializers.IntegerField()
    frames_per_second = serializers.FloatField()
    variable_frame_rate = serializers.BooleanField()
    duration_seconds = serializers.FloatField()
    bytes = serializers.IntegerField()
    shots = ShotSerializer(many=True)
    pacing = PacingSerializer()
    sound = SoundSerializer(allow_null=True)


class AnalysisSerializer(WorkSerializer):
    """The analysis of a sample: its figures, and what is said of it, each statement with who says so."""

    sample = serializers.UUIDField()
    measurement = MeasurementSerializer(allow_null=True)
    report = ReportField(allow_null=True)


class PartPriceSerializer(serializers.Serializer[Any]):
    """`part`: a segment's id, "audio" or "post"; `seconds`: how long it takes to make."""

    part = serializers.CharField()
    credits = serializers.IntegerField()
    seconds = serializers.FloatField()


class RedoSerializer(serializers.Serializer[Any]):
    credits = serializers.IntegerField()
    eta_seconds = serializers.FloatField()
    parts = PartPriceSerializer(many=True)


class PlanPriceSerializer(RedoSerializer):
    """What rendering the plan costs now: the sum of its parts."""

    money = MoneySerializer()


class VersionSerializer(serializers.Serializer[Any]):
    """A version of a plan. `by`: the language model's id, where one made it."""

    number = serializers.IntegerField()
    parent = serializers.IntegerField(allow_null=True)
    author = serializers.ChoiceField(choices=Author.choices)
    by = serializers.CharField()
    note = serializers.CharField()
    digest = serializers.CharField()
    created_at = serializers.DateTimeField()


class DifferenceSerializer(serializers.Serializer[Any]):
    """`part`: a segment's id, "film", "audio" or "post"."""

    kind = serializers.ChoiceField(choices=["added", "removed", "moved", "changed"])
    part = serializers.CharField()
    field = serializers.CharField()
    before = ValueField()
    after = ValueField()


class ComparisonSerializer(serializers.Serializer[Any]):
    """From one version to another; `stale` has to be made anew if the first was made, and `redo` says for how much."""

    differences = DifferenceSerializer(many=True)
    stale = serializers.ListField(child=serializers.CharField())
    redo = RedoSerializer(allow_null=True)


class FilmVersionSerializer(VersionSerializer):
    """A version with its film; `starts`: when each segment begins, in seconds."""

    film = FilmField()
    digests = serializers.DictField(child=serializers.CharField())
    seconds = serializers.FloatField()
    clip_seconds = serializers.IntegerField()
    starts = serializers.ListField(child=serializers.FloatField())
    price = PlanPriceSerializer(allow_null=True)


class ChangedPlanSerializer(FilmVersionSerializer):
    """A new version, and what is different from the one before."""

    comparison = ComparisonSerializer()


class PlanSerializer(serializers.Serializer[Any]):
    """The project's plan: its newest version, and the planning that last ran."""

    version = FilmVersionSerializer(allow_null=True)
    planning = WorkSerializer(allow_null=True)


class BriefSerializer(Strict):
    """What the film is to be; what is left out is the project's, the sample's or the account's."""

    text = serializers.CharField(max_length=5000, required=False, allow_blank=True)
    style = serializers.CharField(max_length=1000, required=False, allow_blank=True)
    seconds = serializers.FloatField(required=False, allow_null=True, min_value=1, max_value=60)
    ratio = serializers.ChoiceField(
        choices=["16:9", "9:16", "1:1", "4:5", "5:4", "4:3", "3:4", "3:2", "2:3", "21:9"], required=False
    )
    resolution = serializers.ChoiceField(choices=["480p", "720p", "1080p", "4K"], required=False)
    preference = serializers.ChoiceField(choices=[one.value for one in Preference], required=False)


class PlanChangeSerializer(Strict):
    """Edits, or a whole film. `base`: the version that it is about; 409 if there is a newer one."""

    base = serializers.IntegerField(required=False, min_value=1)
    edits = EditsField(required=False)
    film = FilmField(required=False)


class TurnSerializer(WorkSerializer):
    """What was said about the plan, and what came of it. `by`: a language model's id, or "rules"."""

    message = serializers.CharField()
    reply = serializers.CharField()
    by = serializers.CharField()
    base = serializers.IntegerField()
    version = serializers.IntegerField(allow_null=True)
    edits = EditsField()


class TurnDetailSerializer(TurnSerializer):
    """With what the turn changed."""

    comparison = ComparisonSerializer(allow_null=True)


class MessageSerializer(Strict):
    message = serializers.CharField(max_length=4000)
