"""The fonts of the words: Noto Sans and Noto Emoji in all scripts, from Python packages, whatever the machine has."""

import importlib.metadata
import importlib.util
from functools import cache
from pathlib import Path
from xml.sax.saxutils import escape

FONTCONFIG = "fonts.conf"
# Each with its folder of fonts, and East Asia apart for its size.
PACKAGES = {"manimgx-fonts": "manimgx_fonts", "manimgx-fonts-cjk": "manimgx_fonts_cjk"}


@cache
def versions() -> str:
    """Which fonts they are: other fonts make other pictures."""
    return " ".join(f"{name} {importlib.metadata.version(name)}" for name in PACKAGES)


def environment(folder: Path) -> dict[str, str]:
    """What FFmpeg needs to know these fonts and no others; writes a file for it into the folder."""
    directories = "".join(f"<dir>{escape(str(folder_of(module)))}</dir>" for module in PACKAGES.values())
    path = folder.absolute() / FONTCONFIG
    path.write_text(
        '<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd"><fontconfig>'
        f"{directories}<cachedir>{escape(str(folder.absolute() / 'fontcache'))}</cachedir></fontconfig>"
    )
    return {"FONTCONFIG_FILE": str(path)}


def folder_of(module: str) -> Path:
    """Where this package's fonts are. Raises RuntimeError where it is missing."""
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise RuntimeError(f"{module} is missing from this environment")
    return Path(spec.origin).parent
