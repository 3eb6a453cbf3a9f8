"""The vendors of videos: name to dotted path of the adapter, whose module has the vendor's MODELS too."""

from collections.abc import Iterator, Mapping
from importlib import import_module
from types import MappingProxyType

from django.conf import settings

from .facts import VideoModel

VIDEO_PROVIDERS: Mapping[str, str] = MappingProxyType(
    {
        "sandbox": "providers.video.sandbox.SandboxProvider",
        "luma": "providers.video.luma.LumaProvider",
        "luma-agents": "providers.video.luma_agents.LumaAgentsProvider",
        "runway": "providers.video.runway.RunwayProvider",
        "vertex": "providers.video.vertex.VertexProvider",
        "gemini-omni": "providers.video.gemini_omni.GeminiOmniProvider",
        "xai": "providers.video.xai.XaiProvider",
        "replicate": "providers.video.replicate.ReplicateProvider",
        "kie": "providers.video.kie.KieProvider",
        "modelslab": "providers.video.modelslab.ModelsLabProvider",
        "edenai": "providers.video.edenai.EdenAIProvider",
        "d-id": "providers.video.d_id.DIdProvider",
        "openai": "providers.video.openai.OpenAIProvider",
        "gemini-veo": "providers.video.gemini_veo.GeminiVeoProvider",
        **settings.MORE_VIDEO_PROVIDERS,
    }
)


def models() -> Iterator[VideoModel]:
    """Every model of every vendor, in the order of the table. Raises ImportError for an adapter that isn't there."""
    for path in VIDEO_PROVIDERS.values():
        yield from import_module(path.rpartition(".")[0]).MODELS
