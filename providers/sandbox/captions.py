"""The prompt as a caption: an ASS file, which libass wraps, shapes and sets in whatever script it is."""

from .orders import Order

LONGEST = 300
# Sizes in the file are for a picture whose shorter side is this, whatever its real one.
SHORT_SIDE = 720

_TEMPLATE = """\
[Script Info]
ScriptType: v4.00+
PlayResX: {width}
PlayResY: {height}
WrapStyle: 0
ScaledBorderAndShadow: yes

[V4+ Styles]
Format: Name, Fontname, Fontsize, PrimaryColour, OutlineColour, BackColour, Bold, Spacing, BorderStyle, \
Outline, Shadow, Alignment, MarginL, MarginR, MarginV, Encoding
Style: Prompt,Noto Sans,{size},&H00FFFFFF,&H50201008,&H90000000,1,0,1,2,2,5,{margin},{margin},60,-1
Style: Label,Noto Sans,20,&H60FFFFFF,&H80000000,&H80000000,0,2,1,0,0,3,28,28,22,-1

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
Dialogue: 0,0:00:00.20,1:00:00.00,Prompt,,0,0,0,,{{\\fad(400,0)}}{prompt}
Dialogue: 0,0:00:00.20,1:00:00.00,Label,,0,0,0,,sandbox · {model} · {resolution}
"""


def caption_file(order: Order, width: int, height: int) -> str:
    """The whole file. The caption shows from 0.2 s on, so that a first frame stays as it was given."""
    scale = SHORT_SIDE / min(width, height)
    prompt = " ".join(order.prompt.split())
    if len(prompt) > LONGEST:
        prompt = f"{prompt[: LONGEST - 1]}…"
    return _TEMPLATE.format(
        width=round(width * scale),
        height=round(height * scale),
        size=58 if len(prompt) <= 80 else 44 if len(prompt) <= 180 else 34,
        margin=round(width * scale * 0.09),
        prompt=_escaped(prompt),
        model=order.model,
        resolution=order.resolution,
    )


def _escaped(text: str) -> str:
    """Plain text: ASS reads braces as commands and a backslash as the start of one."""
    printable = "".join(character for character in text if character.isprintable() or character == "\u200d")
    return printable.replace("\\", "\\\u2060").replace("{", "\\{").replace("}", "\\}")
