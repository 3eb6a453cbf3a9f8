"""One film: its sample's analysis, its plans, the talk about them, and what language models were asked."""

from pipeline.models.analyses import Analysis
from pipeline.models.calls import CallState, LanguageCall, Purpose
from pipeline.models.chat import ChatTurn
from pipeline.models.plans import Author, Planning, PlanVersion
from pipeline.models.renders import (
    FilmPart,
    Render,
    RenderInput,
    RenderQuote,
    RenderSegment,
    RenderStatus,
    SegmentState,
)
from pipeline.models.sounds import FilmSound, SoundState
from pipeline.models.video_edits import EditQuote, VideoEdit
from pipeline.models.works import Work, WorkStatus

__all__ = [
    "Analysis",
    "Author",
    "CallState",
    "ChatTurn",
    "EditQuote",
    "FilmPart",
    "FilmSound",
    "LanguageCall",
    "PlanVersion",
    "Planning",
    "Purpose",
    "Render",
    "RenderInput",
    "RenderQuote",
    "RenderSegment",
    "RenderStatus",
    "SegmentState",
    "SoundState",
    "VideoEdit",
    "Work",
    "WorkStatus",
]
