"""The names under which a film is worked on."""

ANALYSIS = "analysis"
PLANNING = "planning"
CHAT = "chat"
