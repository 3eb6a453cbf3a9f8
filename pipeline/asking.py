"""Asking language models: who is asked next, what is kept of each call, and when the rules take over.

A model is asked once, and once more where its answer could not be used or was lost; then comes the next. Models
whose vendor failed lately stand at the end of the line.
"""

import json
import logging
import time
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from pydantic import ValidationError

from generations import storage
from generations.models import AssetKind
from generations.scratch import scratch_folder
from generations.uploads import LIMITS
from pipeline import works
from pipeline.models import CallState, LanguageCall, Purpose, Work
from pipeline.transitions import start
from providers.catalogue.language import LANGUAGE_MODELS, LanguageModel
from providers.errors import ProviderError
from providers.language import registry
from providers.language.contract import NO_USAGE, Answer, Picture, Question, Turn, Usage, Video
from providers.language.errors import LanguageError, RateLimited
from workers import clock
from workers.clock import AppNow
from workers.jobs import Continue, Lease, Next, Outcome, Stage

logger = logging.getLogger(__name__)

# A vendor whose last calls, this many, all failed within this time is asked last.
FAILURES = 3
FAILED_WITHIN = timedelta(minutes=5)
LONGEST_ANSWER = 200_000
MOST_PICTURE_BYTES = 4 << 20
ANSWERS_KEPT = timedelta(days=30)

Subject = TypeVar("Subject", bound=Work)
Material = TypeVar("Material")


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredVideo:
    """A video in our store."""

    key: str
    media_type: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A question on its way: the call's row, the model, and what must still be fetched for it."""

    call_id: UUID
    model: LanguageModel
    question: Question
    # Objects of our store that go with it: pictures, or the video itself.
    picture_keys: tuple[str, ...] = ()
    video: StoredVideo | None = None
    on_text: Callable[[str], None] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What came of it."""

    call_id: UUID
    seconds: float
    answer: Answer | None = None
    error: LanguageError | ProviderError | None = None


class Unusable(Exception):
    """An answer that can't be used; the text tells the model what was wrong with it."""


# Its vendor's last calls: all of them failed, and lately.
_FAILING = """
SELECT provider FROM unnest(%s::text[]) AS wanted (provider), LATERAL (
    SELECT state, error_code, ended_at, retry_at FROM pipeline_languagecall call
    WHERE call.provider = wanted.provider AND ended_at IS NOT NULL ORDER BY ended_at DESC LIMIT %s
) AS latest
GROUP BY provider
HAVING (count(*) = %s AND bool_and(state = 'failed') AND max(ended_at) > app_now() - %s::interval)
    OR max(retry_at) > app_now()
"""


def failing(providers: Sequence[str]) -> set[str]:
    """The vendors that fail at the moment, or asked us to wait. One statement, a few rows each."""
    with connection.cursor() as cursor:
        cursor.execute(
            _FAILING, [list(set(providers)), FAILURES, FAILURES, f"{FAILED_WITHIN.total_seconds()} seconds"]
        )
        return {row[0] for row in cursor.fetchall()}


def order(*, vision: bool) -> list[LanguageModel]:
    """The models that may be asked, the first one first: those with a key, not retired, by the settings' order."""
    names = settings.VISION_MODELS if vision else settings.LANGUAGE_MODELS
    now = clock.now()
    models = [LANGUAGE_MODELS[name] for name in names if name in LANGUAGE_MODELS]
    usable = [
        model
        for model in models
        if registry.configured(model.provider)
        and (model.retires_at is None or now < model.retires_at)
        and (model.vision or not vision)
    ]
    if not usable:
        return []
    bad = failing([model.provider for model in usable])
    return sorted(usable, key=lambda model: model.provider in bad)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Try:
    """Who is asked next; `wrong`: his own last answer and what was wrong with it."""

    model: LanguageModel
    wrong: LanguageCall | None = None


def next_try(calls: Sequence[LanguageCall], *, vision: bool) -> _Try | None:
    """Who is asked after these calls; None: nobody is left."""
    asked: dict[str, list[LanguageCall]] = {}
    for call in calls:
        asked.setdefault(call.model, []).append(call)
    for model in order(vision=vision):
        tries = asked.get(model.id, [])
        if not tries:
            return _Try(model=model)
        if len(tries) == 1 and tries[0].problem:
            return _Try(model=model, wrong=tries[0])
        if len(tries) == 1 and tries[0].state == CallState.LOST:
            # A worker died: that says nothing of the model.
            return _Try(model=model)
    return None


class Ask(Stage[Asked, Heard], Generic[Subject, Material]):
    """A stage that asks language models until an answer can be used, and does without in the end."""

    queue = "slow"
    deadline: ClassVar[float] = 150.0
    purpose: ClassVar[Purpose]
    vision: ClassVar[bool] = False

    @abstractmethod
    def find(self, work_id: UUID) -> Subject:
        """The work, with what the other methods read of it."""

    @abstractmethod
    def material(self, work: Subject) -> Material:
        """What is needed to ask and to judge an answer; read once for each."""

    @abstractmethod
    def question(self, work: Subject, material: Material) -> Question:
        """What is asked."""

    def picture_keys(self, work: Subject, material: Material) -> tuple[str, ...]:
        """The pictures that go with the question, where the model sees."""
        return ()

    def video(self, work: Subject, material: Material) -> StoredVideo | None:
        """The video that goes with it in their place, where the model watches."""
        return None

    def listener(self, work: Subject, call_id: UUID) -> Callable[[str], None] | None:
        """Who hears the answer while it is written."""
        return None

    @abstractmethod
    def accept(self, work: Subject, material: Material, text: str, by: str) -> Next:
        """Use the answer. Raises Unusable, or pydantic's ValidationError; then nothing was written."""

    @abstractmethod
    def without(self, work: Subject, material: Material) -> Next:
        """Do what rules can do: no model could be asked, or none gave an answer that can be used."""

    def begin(self, leases: Sequence[Lease]) -> Mapping[UUID, Asked | Next]:
        begun: dict[UUID, Asked | Next] = {}
        for lease in leases:
            work = self.find(lease.subject_id)
            end = works.stopped(lease, work)
            begun[lease.job_id] = end if end is not None else self._begin(work)
        return begun

    def call(self, work: Asked) -> Heard:
        began = time.monotonic()
        answer: Answer | None = None
        problem: LanguageError | ProviderError | None = None
        try:
            with scratch_folder("question") as folder:
                question = _with_files(work, folder)
                provider = registry.language_provider(work.model.provider)
                answer = provider.ask(work.model, question, on_text=work.on_text)
        except (LanguageError, ProviderError) as error:
            logger.warning("%s did not answer: %s", work.model.id, error)
            problem = error
        return Heard(
            call_id=work.call_id,
            seconds=time.monotonic() - began,
            answer=answer,
            error=problem,
        )

    def finish(self, outcomes: Sequence[Outcome[Heard]]) -> Mapping[UUID, Next]:
        nexts: dict[UUID, Next] = {}
        for outcome in sorted(outcomes, key=lambda one: str(one.lease.owner_id)):
            heard = outcome.answer
            record(heard)
            if outcome.held:
                nexts[outcome.lease.job_id] = self._decide(outcome.lease, heard)
        return nexts

    def abandon(self, lease: Lease) -> Next:
        work = self.find(lease.subject_id)
        return works.stopped(lease, work) or self.without(work, self.material(work))

    def _begin(self, work: Subject) -> Asked | Next:
        start(work)
        material = self.material(work)
        LanguageCall.objects.filter(
            subject_id=work.id, purpose=self.purpose, state=CallState.INTENDED
        ).update(state=CallState.LOST, ended_at=AppNow())
        calls = list(
            LanguageCall.objects.filter(subject_id=work.id, purpose=self.purpose).order_by("created_at")
        )
        following = next_try(calls, vision=self.vision)
        if following is None:
            return self.without(work, material)
        question = self.question(work, material)
        if following.wrong is not None:
            question = _again(question, following.wrong)
        call = LanguageCall.objects.create(
            owner_id=work.owner_id,
            purpose=self.purpose,
            subject_id=work.id,
            provider=following.model.provider,
            model=following.model.id,
        )
        video = self.video(work, material) if following.model.video else None
        pictures = self.picture_keys(work, material) if following.model.vision and video is None else ()
        return Asked(
            call_id=call.id,
            model=following.model,
            question=question,
            picture_keys=pictures,
            video=video,
            on_text=self.listener(work, call.id),
        )

    def _decide(self, lease: Lease, heard: Heard) -> Next:
        work = self.find(lease.subject_id)
        again = Continue(stage=self.name)
        if heard.answer is None:
            return again
        model = LanguageCall.objects.values_list("model", flat=True).get(id=heard.call_id)
        material = self.material(work)
        try:
            with transaction.atomic():
                return self.accept(work, material, heard.answer.text, model)
        except Unusable as error:
            problem = str(error)
        except ValidationError as error:
            problem = _problems(error)
        logger.warning("the answer of %s could not be used: %s", model, problem)
        LanguageCall.objects.filter(id=heard.call_id).update(problem=problem[:1000])
        return again


def record(heard: Heard) -> None:
    """Keep what a call cost and brought: a fact, whoever holds the job now."""
    answer, error = heard.answer, heard.error
    usage: Usage = answer.usage if answer is not None else getattr(error, "usage", NO_USAGE)
    cost: Decimal = answer.cost if answer is not None else getattr(error, "cost", Decimal())
    retry_at = None
    if isinstance(error, RateLimited) and error.retry_after is not None:
        retry_at = clock.now() + min(error.retry_after, timedelta(hours=1))
    LanguageCall.objects.filter(id=heard.call_id).update(
        state=CallState.ANSWERED if answer is not None else CallState.FAILED,
        answered_by=answer.model[:100] if answer is not None else "",
        input_tokens=usage.input_tokens,
        cached_tokens=usage.cached_tokens,
        output_tokens=usage.output_tokens,
        cost_usd=cost,
        seconds=heard.seconds,
        answer=answer.text[:LONGEST_ANSWER].replace("\x00", "") if answer is not None else "",
        error_code=(getattr(error, "code", "") or type(error).__name__)[:60] if error is not None else "",
        retry_at=retry_at,
        request_id=(answer.request_id if answer is not None else getattr(error, "request_id", ""))[:200],
        ended_at=AppNow(),
    )


def read_json(text: str) -> Any:
    """The answer as JSON, also from within a fence of backticks. Raises Unusable."""
    stripped = text.strip()
    if stripped.startswith("```"):
        stripped = stripped.split("\n", 1)[-1].rsplit("```", 1)[0]
    with suppress(ValueError, RecursionError):
        return json.loads(stripped)
    raise Unusable("It is not JSON. Answer with the JSON object alone.")


def quoted(material: object) -> str:
    """What comes from users and samples, as data between marks that can't be closed from inside."""
    text = json.dumps(material, ensure_ascii=False, default=str)
    return "<data>\n" + text.replace("<", "\\u003c") + "\n</data>"


def forget_old() -> int:
    """Drop the texts of answers past their time; how many."""
    old = LanguageCall.objects.filter(ended_at__lt=AppNow() - ANSWERS_KEPT).exclude(answer="")
    return LanguageCall.objects.filter(id__in=old.values("id")[:5000]).update(answer="")


def _again(question: Question, wrong: LanguageCall) -> Question:
    """The same question after an answer that could not be used."""
    turns = (
        *question.turns,
        Turn(role="assistant", text=wrong.answer[:20_000]),
        Turn(role="user", text=f"That answer can't be used: {wrong.problem} Answer again, in full."),
    )
    return replace(question, turns=turns)


def _problems(error: ValidationError) -> str:
    """What is wrong with its shape: where, and what was expected; never the value."""
    said = [f"{'.'.join(str(part) for part in one['loc'])}: {one['msg']}" for one in error.errors()[:8]]
    return " ".join(said)


def _with_files(work: Asked, folder: Path) -> Question:
    """The question with what goes with it and is still there."""
    if work.video is not None:
        path = folder / "video"
        with suppress(storage.StorageUnavailable):
            if storage.download_to(work.video.key, path, max_bytes=LIMITS[AssetKind.VIDEO]):
                video = Video(path=path, media_type=work.video.media_type, seconds=work.video.seconds)
                return replace(work.question, video=video)
    pictures = []
    for number, key in enumerate(work.picture_keys):
        path = folder / f"{number}.jpg"
        with suppress(storage.StorageUnavailable):
            if storage.download_to(key, path, max_bytes=MOST_PICTURE_BYTES):
                pictures.append(Picture(content=path.read_bytes()))
    return replace(work.question, pictures=pictures)
