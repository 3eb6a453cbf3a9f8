"""Where vendors call: `/webhooks/{provider}/{token}/`."""

import logging

from django.http import HttpRequest, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from generations import receiving

logger = logging.getLogger(__name__)


@csrf_exempt
@require_POST
def webhook(request: HttpRequest, provider: str, token: str) -> JsonResponse:
    """Take a delivery and answer at once. 400 for what we can't trust, without saying why; 500 so that it comes again."""
    try:
        length = int(request.headers.get("Content-Length") or 0)
    except ValueError:
        length = receiving.MAX_BYTES + 1
    if length > receiving.MAX_BYTES:
        return JsonResponse({"status": "refused"}, status=413)
    try:
        new = receiving.receive(provider, token, request.headers, request.body)
    except receiving.Refused as refused:
        logger.warning("webhook of %s refused: %s", provider[:40], refused)
        return JsonResponse({"status": "refused"}, status=400)
    return JsonResponse({"status": "taken", "new": new})
