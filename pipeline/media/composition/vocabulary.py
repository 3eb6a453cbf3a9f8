"""The words of a composition: what a plan, the API and the composer call the same thing."""

from enum import StrEnum


class TransitionKind(StrEnum):
    """How a clip takes over from the one before it. A cut takes no time; each other takes some of both."""

    CUT = "cut"
    FADE = "fade"
    DISSOLVE = "dissolve"
    FADE_BLACK = "fade_black"
    FADE_WHITE = "fade_white"
    WIPE = "wipe"
    WIPE_RIGHT = "wipe_right"
    WIPE_UP = "wipe_up"
    WIPE_DOWN = "wipe_down"
    SLIDE = "slide"
    SLIDE_RIGHT = "slide_right"
    SLIDE_UP = "slide_up"
    SLIDE_DOWN = "slide_down"
    CIRCLE = "circle"
    RADIAL = "radial"
    ZOOM = "zoom"
    BLUR = "blur"
    PIXELATE = "pixelate"


class Grade(StrEnum):
    """How the whole picture is coloured."""

    NONE = "none"
    WARM = "warm"
    COOL = "cool"
    VIVID = "vivid"
    MUTED = "muted"
    MONOCHROME = "monochrome"
    CINEMATIC = "cinematic"


class EffectKind(StrEnum):
    """What is done to one clip's picture."""

    ZOOM_IN = "zoom_in"
    ZOOM_OUT = "zoom_out"
    BLUR = "blur"
    VIGNETTE = "vignette"
    GRAIN = "grain"


class Position(StrEnum):
    """Where a text stands."""

    TOP_LEFT = "top_left"
    TOP = "top"
    TOP_RIGHT = "top_right"
    LEFT = "left"
    CENTRE = "centre"
    RIGHT = "right"
    BOTTOM_LEFT = "bottom_left"
    BOTTOM = "bottom"
    BOTTOM_RIGHT = "bottom_right"


class Animation(StrEnum):
    """How a text comes and goes."""

    NONE = "none"
    FADE = "fade"
    SLIDE = "slide"
    TYPEWRITER = "typewriter"
    KARAOKE = "karaoke"


class Fit(StrEnum):
    """What becomes of a picture whose ratio is not the film's."""

    CROP = "crop"
    LETTERBOX = "letterbox"


class SoundRole(StrEnum):
    """What a sound is in the mix: the others duck under a voice."""

    VOICE = "voice"
    EFFECT = "effect"
    MUSIC = "music"
    OWN = "own"
    """The film's own sound track, as its owner gave it."""
