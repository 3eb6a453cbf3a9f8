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
        to = receiving.addressee(provider, token)
        # Of a body that is too long nothing is kept, whatever its header says of it.
        body = request.read(to.max_bytes + 1)
        if len(body) > to.max_bytes:
            return JsonResponse({"status": "refused"}, status=413)
        new = receiving.receive(to, request.headers, body)
    except receiving.Refused as refused:
        logger.warning("webhook of %s refused: %s", provider[:40], refused)
        return JsonResponse({"status": "refused"}, status=400)
    return JsonResponse({"status": "taken", "new": new})
