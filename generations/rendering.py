"""A clip in a provider's terms."""

from django.conf import settings

from generations import assets
from generations.models import Attempt, AttemptState, Generation
from providers.adapters import MAIN
from providers.catalogue import MODELS
from providers.contract import InputMedia, Mode, RenderRequest


def render_request(generation: Generation, account: str = MAIN) -> RenderRequest:
    """What is asked of the vendor, on one of our accounts there; inputs as pre-signed URLs that outlive its queue.

    No statement, one where a video is given: what the vendor itself made is also named by the vendor's own id.
    """

    def media(name: str, vendor_id: str = "") -> InputMedia | None:
        asset = getattr(generation, name)
        if asset is None:
            return None
        url = assets.signed_input_url(asset, settings.INPUT_URL_VALID)
        return InputMedia(url=url, media_type=asset.media_type, vendor_id=vendor_id)

    return RenderRequest(
        model=MODELS[generation.model].vendor_model,
        mode=Mode(generation.mode),
        prompt=generation.prompt,
        negative_prompt=generation.negative_prompt,
        style=generation.style or None,
        duration_seconds=generation.duration_seconds,
        resolution=generation.resolution,
        ratio=generation.ratio,
        start_image=media("start_image"),
        end_image=media("end_image"),
        source_video=media("source_video", _vendors_id(generation, account)),
        audio=generation.audio,
        enhance=generation.enhance,
        seed=generation.seed,
        controls=generation.controls,
    )


def _vendors_id(generation: Generation, account: str) -> str:
    """By what id the vendor knows the source video, if this account had it make it."""
    if generation.source_video_id is None:
        return ""
    made = Attempt.objects.filter(
        generation__output_id=generation.source_video_id,
        state=AttemptState.SUCCEEDED,
        provider=generation.provider,
        account=account,
    )
    return made.values_list("external_id", flat=True).first() or ""
