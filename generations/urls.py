"""The addresses of clips, projects, files and the catalogue, under /api/v1/."""

from django.urls import path

from generations.api import models, projects, uploads, views

urlpatterns = [
    path("models/", models.ModelsView.as_view(), name="models"),
    path("estimates/", views.EstimatesView.as_view(), name="estimates"),
    path("projects/", projects.ProjectsView.as_view(), name="projects"),
    path("projects/<uuid:project_id>/", projects.ProjectView.as_view(), name="project"),
    path("generations/", views.GenerationsView.as_view(), name="generations"),
    path("generations/<uuid:generation_id>/", views.GenerationView.as_view(), name="generation"),
    path(
        "generations/<uuid:generation_id>/download/", views.DownloadView.as_view(), name="generation-download"
    ),
    path("generations/<uuid:generation_id>/cancel/", views.CancelView.as_view(), name="generation-cancel"),
    path("generations/<uuid:generation_id>/retry/", views.RetryView.as_view(), name="generation-retry"),
    path("generations/<uuid:generation_id>/events/", views.EventsView.as_view(), name="generation-events"),
    path("uploads/", uploads.UploadsView.as_view(), name="uploads"),
    path("uploads/<uuid:asset_id>/finish/", uploads.UploadFinishView.as_view(), name="upload-finish"),
    path("assets/", uploads.AssetsView.as_view(), name="assets"),
    path("assets/<uuid:asset_id>/", uploads.AssetView.as_view(), name="asset"),
    path("assets/<uuid:asset_id>/crop/", uploads.AssetCropView.as_view(), name="asset-crop"),
    path("assets/<uuid:asset_id>/download/", uploads.AssetDownloadView.as_view(), name="asset-download"),
]
