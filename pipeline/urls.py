"""The addresses of analyses, plans, the talk about them, renders, and edits of videos, under /api/v1/."""

from django.urls import path

from pipeline.api import chat, renders, video_edits, views

_PROJECT = "projects/<uuid:project_id>/"
_RENDER = "renders/<uuid:render_id>/"
_EDIT = "edits/<uuid:edit_id>/"

urlpatterns = [
    path(f"{_PROJECT}analysis/", views.AnalysisView.as_view(), name="analysis"),
    path(f"{_PROJECT}plan/", views.PlanView.as_view(), name="plan"),
    path(f"{_PROJECT}plan/versions/", views.VersionsView.as_view(), name="plan-versions"),
    path(f"{_PROJECT}plan/versions/<int:number>/", views.VersionView.as_view(), name="plan-version"),
    path(
        f"{_PROJECT}plan/versions/<int:number>/comparison/",
        views.VersionComparisonView.as_view(),
        name="plan-version-comparison",
    ),
    path(
        f"{_PROJECT}plan/versions/<int:number>/revert/",
        views.VersionRevertView.as_view(),
        name="plan-version-revert",
    ),
    path(f"{_PROJECT}chat/", chat.ChatView.as_view(), name="chat"),
    path(f"{_PROJECT}chat/<uuid:turn_id>/", chat.TurnView.as_view(), name="chat-turn"),
    path(f"{_PROJECT}chat/<uuid:turn_id>/stream/", chat.TurnStreamView.as_view(), name="chat-turn-stream"),
    path(f"{_PROJECT}progress/", views.ProgressView.as_view(), name="project-progress"),
    path(f"{_PROJECT}renders/", renders.ProjectRendersView.as_view(), name="project-renders"),
    path(
        f"{_PROJECT}renders/estimates/",
        renders.RenderEstimatesView.as_view(),
        name="project-render-estimates",
    ),
    path(_RENDER, renders.RenderView.as_view(), name="render"),
    path(f"{_RENDER}pause/", renders.RenderPauseView.as_view(), name="render-pause"),
    path(f"{_RENDER}resume/", renders.RenderResumeView.as_view(), name="render-resume"),
    path(f"{_RENDER}cancel/", renders.RenderCancelView.as_view(), name="render-cancel"),
    path(f"{_RENDER}regenerate/", renders.RegenerateView.as_view(), name="render-regenerate"),
    path(
        f"{_RENDER}regenerate/estimates/",
        renders.RegenerateEstimatesView.as_view(),
        name="render-regenerate-estimates",
    ),
    path(f"{_RENDER}download/", renders.RenderDownloadView.as_view(), name="render-download"),
    path("videos/<uuid:asset_id>/edits/", video_edits.VideoEditsView.as_view(), name="video-edits"),
    path(
        "videos/<uuid:asset_id>/edits/estimates/",
        video_edits.EditEstimatesView.as_view(),
        name="video-edit-estimates",
    ),
    path("edits/", video_edits.EditsView.as_view(), name="edits"),
    path(_EDIT, video_edits.EditView.as_view(), name="edit"),
    path(f"{_EDIT}cancel/", video_edits.EditCancelView.as_view(), name="edit-cancel"),
    path(f"{_EDIT}download/", video_edits.EditDownloadView.as_view(), name="edit-download"),
]
