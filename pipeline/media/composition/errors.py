"""Why there is no film."""


class Cancelled(Exception):
    """The caller wanted no more of it."""


class CompositionFailed(Exception):
    """FFmpeg made nothing of it. The text says of what, and FFmpeg's last words: for a log, not for an owner."""


class PartMissing(Exception):
    """Clips whose parts are not all there: they have to be conformed first."""

    def __init__(self, clip_ids: tuple[str, ...]) -> None:
        super().__init__(f"not conformed: {', '.join(clip_ids)}")
        self.clip_ids = clip_ids
