"""The names under which a film is worked on."""

ANALYSIS = "analysis"
PLANNING = "planning"
CHAT = "chat"
# A plan version on its way to a film.
RENDER = "render"
# A segment's clip on its way into the film.
SEGMENT = "segment"
SOUND = "sound"
# A finished video on its way to another one.
VIDEO_EDIT = "video_edit"
