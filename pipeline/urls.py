"""The addresses of analyses, plans and the talk about them, under /api/v1/."""

from django.urls import path

from pipeline.api import chat, views

_PROJECT = "projects/<uuid:project_id>/"

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
]
