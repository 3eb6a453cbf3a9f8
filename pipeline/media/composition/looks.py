"""What the names of a composition are in FFmpeg: how clips take over, how they are coloured, what is done to them."""

from .timeline import Box, Clip, Format, Timeline
from .vocabulary import EffectKind, Fit, Grade, TransitionKind

# Of the filter xfade; a cut needs none.
TRANSITIONS = {
    TransitionKind.FADE: "fade",
    # What is alike changes first. The filter's own "dissolve" is coloured noise.
    TransitionKind.DISSOLVE: "fadeslow",
    TransitionKind.FADE_BLACK: "fadeblack",
    TransitionKind.FADE_WHITE: "fadewhite",
    TransitionKind.WIPE: "wipeleft",
    TransitionKind.WIPE_RIGHT: "wiperight",
    TransitionKind.WIPE_UP: "wipeup",
    TransitionKind.WIPE_DOWN: "wipedown",
    TransitionKind.SLIDE: "slideleft",
    TransitionKind.SLIDE_RIGHT: "slideright",
    TransitionKind.SLIDE_UP: "slideup",
    TransitionKind.SLIDE_DOWN: "slidedown",
    TransitionKind.CIRCLE: "circleopen",
    TransitionKind.RADIAL: "radial",
    TransitionKind.ZOOM: "zoomin",
    TransitionKind.BLUR: "hblur",
    TransitionKind.PIXELATE: "pixelize",
}
# In YUV, as the pictures are: by way of RGB each takes half as long as encoding.
GRADES = {
    Grade.NONE: "",
    Grade.WARM: "colorcorrect=rl=.02:bl=-.03:rh=.07:bh=-.09:saturation=1.05",
    Grade.COOL: "colorcorrect=rl=-.03:bl=.04:rh=-.06:bh=.08:saturation=.97",
    Grade.VIVID: "eq=contrast=1.1:saturation=1.4",
    Grade.MUTED: "eq=contrast=.88:brightness=.02:saturation=.55",
    Grade.MONOCHROME: "eq=contrast=1.06,lutyuv=u=(maxval+minval)/2:v=(maxval+minval)/2",
    # Teal in the shadows, orange in the lights, and a little darker.
    Grade.CINEMATIC: "eq=contrast=1.14:brightness=-.02,colorcorrect=rl=-.07:bl=.08:rh=.09:bh=-.09:saturation=1.08",
}
# How much closer a zoom comes.
ZOOM = 0.18


def picture(timeline: Timeline, clip: Clip) -> str:
    """From a decoded source to the clip's frames, the first of them at time 0: filters, one after the other."""
    fmt = timeline.format
    steps = [
        # Those of a source without any are taken for the film's.
        *([f"setpts=PTS/{clip.speed:g}"] if clip.speed != 1 else []),
        f"fps={fmt.frames_per_second}:start_time=0",
        # What it lacks at its end is its last picture.
        "tpad=stop=-1:stop_mode=clone",
        f"trim=end_frame={clip.frames}",
        *([_cut(clip.crop)] if clip.crop is not None else []),
        *_fitted(fmt, timeline.fit),
        *(_effect(effect, clip, fmt) for effect in _in_order(clip.effects, before_grade=True)),
        *([GRADES[timeline.grade]] if GRADES[timeline.grade] else []),
        *(_effect(effect, clip, fmt) for effect in _in_order(clip.effects, before_grade=False)),
        "format=yuv420p",
        # What the encoder writes into its header must be the same for all parts: they become one stream.
        "setparams=field_mode=prog:range=tv:color_primaries=bt709:color_trc=bt709:colorspace=bt709:chroma_location=left",
        f"settb=1/{fmt.frames_per_second},setpts=N",
    ]
    return ",".join(steps)


def crossed(kind: TransitionKind, frames: int, frames_per_second: int) -> str:
    """The filter between the last frames of one clip and the first of the next, as many of each."""
    return f"xfade=transition={TRANSITIONS[kind]}:duration={frames / frames_per_second:.9f}:offset=0"


def _cut(box: Box) -> str:
    # Not at the next even pixel.
    return f"crop={box.width}:{box.height}:{box.x}:{box.y}:exact=1"


def _fitted(fmt: Format, fit: Fit) -> list[str]:
    size = f"{fmt.width}:{fmt.height}"
    # `reset_sar`: by how it is seen, where pixels are not square.
    scaled = f"scale={size}:force_original_aspect_ratio={{}}:reset_sar=1:out_range=tv:flags=bicubic"
    if fit is Fit.CROP:
        return [scaled.format("increase"), f"crop={size}", "setsar=1"]
    return [
        f"{scaled.format('decrease')}:force_divisible_by=2",
        f"pad={size}:-1:-1:black",
        "setsar=1",
    ]


def _in_order(effects: tuple[EffectKind, ...], *, before_grade: bool) -> list[EffectKind]:
    """Each once: what is done to the scene, then the grade, then what is done to the film."""
    order = [EffectKind.BLUR, EffectKind.ZOOM_IN, EffectKind.ZOOM_OUT]
    if not before_grade:
        order = [EffectKind.VIGNETTE, EffectKind.GRAIN]
    return [effect for effect in order if effect in effects]


def _effect(effect: EffectKind, clip: Clip, fmt: Format) -> str:
    short = min(fmt.width, fmt.height)
    if effect is EffectKind.BLUR:
        return f"gblur=sigma={short / 90:.2f}"
    if effect is EffectKind.VIGNETTE:
        return "vignette=angle=PI/5"
    if effect is EffectKind.GRAIN:
        # The same for the same frame, whichever parts are made.
        return "noise=c0s=16:c0f=t+u"
    share = f"on/{max(1, clip.frames - 1)}"
    closer = f"(1+{ZOOM}*{share})" if effect is EffectKind.ZOOM_IN else f"(1+{ZOOM}*(1-{share}))"
    left, right = f"W/2-W/2/{closer}", f"W/2+W/2/{closer}"
    top, bottom = f"H/2-H/2/{closer}", f"H/2+H/2/{closer}"
    # Between pixels, so that a slow movement is a smooth one.
    return (
        f"perspective=x0='{left}':y0='{top}':x1='{right}':y1='{top}'"
        f":x2='{left}':y2='{bottom}':x3='{right}':y3='{bottom}':eval=frame:interpolation=linear"
    )
