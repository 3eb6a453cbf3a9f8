"""Voices, effects and music, each vendor in a file of its own."""
