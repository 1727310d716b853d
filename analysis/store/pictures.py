"""Pictures from outside: opened within bounds, measured, never trusted.

A picture may be broken, huge when unpacked, or name a file that is none of our business. Every one of these is a
:class:`PictureError` with a short reason, so that one bad picture among thousands is counted, not fatal.
"""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

__all__ = ["PictureError", "PictureFacts", "measure_picture", "quiet_decoders", "read_picture_file"]

MAX_PIXELS: Final = 16_000_000
"""Pixels that are decoded at most: 64 MB, as four bytes each."""
MAX_DRAFT_PIXELS: Final = 64_000_000
"""Pixels of a JPEG file at most: its decoder can leave out all but every second, fourth or eighth."""
MAX_BYTES: Final = 64 * 2**20

# Only formats that are decoded in this process: EPS, for one, would start a program.
_FORMATS: Final = ("PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF")
_SIDE: Final = 8
_DEEP_MODES: Final = ("I", "I;16", "I;16B", "I;16L", "I;16N")
_SMALLEST: Final = 3  # pixels a side, below which no pixel has four neighbours
_TOO_MANY: Final = "more than 16 million pixels"
_STRIP: Final = 500_000  # pixels that are computed with together, at up to twenty bytes each


class PictureError(Exception):
    """A picture that cannot be measured; the text says why in a few words, without naming the picture."""


@dataclass(frozen=True)
class PictureFacts:
    """What is measured of one picture, turned to grey (ITU-R BT.601) on a white ground.

    Attributes
    ----------
    width, height
        Pixels, as stored. A JPEG file of more than 16 million pixels is decoded, and its blur measured, at a half,
        a quarter or an eighth of its sides.
    brightness
        Mean grey value, 0 (black) to 1 (white).
    contrast
        Standard deviation of the grey values over 255, 0 to 0.5 (Peli 1990, "Contrast in complex images").
    blur
        Variance of the Laplacian over the inner pixels: low is blurred (Pech-Pacheco et al. 2000, "Diatom
        autofocusing in brightfield microscopy"). None where a side is shorter than three pixels.
    print
        For finding near duplicates: the 64-bit difference hash, then an 8 x 8 thumbnail of grey values.
    """

    width: int
    height: int
    brightness: float
    contrast: float
    blur: float | None
    print: bytes


@contextmanager
def quiet_decoders() -> Iterator[None]:
    """Keep what decoders grumble about single pictures from the terminal, for the length of a batch."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        yield


def read_picture_file(folder: Path, name: str) -> bytes:
    """Read a picture that a table names.

    Parameters
    ----------
    folder
        The folder of the table; nothing outside it is read, whatever the name or a link in it says.
    name
        A path, relative to the folder or inside it.

    Returns
    -------
    bytes

    Raises
    ------
    PictureError
        If the file is outside the folder, not there, or larger than 64 MB.
    """
    try:
        base = folder.resolve()
        path = (base / name).resolve()
        if not path.is_relative_to(base):
            raise PictureError("outside the folder of the table")
        if not path.is_file():
            raise PictureError("not there")
        if path.stat().st_size > MAX_BYTES:
            raise PictureError("larger than 64 MB")
        return path.read_bytes()
    except (OSError, ValueError, RuntimeError) as error:
        # A name that is no path at all, a loop of links, a file that may not be read.
        raise PictureError("not readable") from error


def measure_picture(data: bytes) -> PictureFacts:
    """Measure one picture.

    Parameters
    ----------
    data
        The bytes of a PNG, JPEG, GIF, WebP, BMP or TIFF file; of several frames the first counts.

    Returns
    -------
    PictureFacts

    Raises
    ------
    PictureError
        If the bytes are no such picture, are cut, or unpack to more than 16 million pixels.

    Examples
    --------
    >>> buffer = io.BytesIO()
    >>> Image.new("L", (4, 3), 255).save(buffer, "PNG")
    >>> facts = measure_picture(buffer.getvalue())
    >>> facts.width, facts.height, facts.brightness, facts.contrast, facts.blur
    (4, 3, 1.0, 0.0, 0.0)
    """
    if not data:
        raise PictureError("empty")
    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
            width, height = image.size
            # The header alone has been read so far.
            _limit_size(image)
            grey = _to_grey(image)
    except PictureError:
        raise
    except Image.DecompressionBombError as error:
        raise PictureError(_TOO_MANY) from error
    except Exception as error:  # a decoder fed with broken bytes may fail in any way
        raise PictureError("not a picture") from error
    brightness, contrast = _describe_levels(grey)
    return PictureFacts(width, height, brightness, contrast, _compute_blur(grey), _compute_print(grey))


def _limit_size(image: Image.Image) -> None:
    """Refuse a picture that would take too much memory, before it is decoded; let JPEG's decoder shrink it."""
    width, height = image.size
    if width * height <= MAX_PIXELS:
        return
    # A progressive file is held whole by its decoder, however few of its pixels are wanted.
    if image.format != "JPEG" or image.info.get("progressive") or width * height > MAX_DRAFT_PIXELS:
        raise PictureError(_TOO_MANY)
    scale = next((scale for scale in (2, 4) if width * height <= MAX_PIXELS * scale**2), 8)
    image.draft(image.mode, (width // scale, height // scale))
    if image.width * image.height > MAX_PIXELS:
        raise PictureError(_TOO_MANY)


def _to_grey(image: Image.Image) -> Image.Image:
    """Turn a picture grey, strip by strip: whole, every step of it would take as much memory as the picture."""
    grey = Image.new("L", image.size)
    rows = max(1, _STRIP // max(1, image.width))
    for top in range(0, image.height, rows):
        strip = image.crop((0, top, image.width, min(top + rows, image.height)))
        grey.paste(_strip_to_grey(strip), (0, top))
    return grey


def _strip_to_grey(image: Image.Image) -> Image.Image:
    if image.mode in _DEEP_MODES:
        # Pillow's own conversion cuts sixteen bits off at 255.
        deep = np.asarray(image, dtype=np.float64)
        return Image.fromarray(np.clip(deep / 257, 0, 255).round().astype(np.uint8))
    if image.has_transparency_data:
        layered = image.convert("RGBA")
        ground = Image.new("RGBA", layered.size, "white")
        return Image.alpha_composite(ground, layered).convert("L")
    return image.convert("L")


def _describe_levels(grey: Image.Image) -> tuple[float, float]:
    """Return mean and standard deviation over 255, from whole counts: the same on every machine."""
    counts = np.asarray(grey.histogram(), dtype=np.int64)
    levels = np.arange(len(counts), dtype=np.int64)
    n = int(counts.sum())
    total, squares = int(counts @ levels), int(counts @ levels**2)
    variance = (n * squares - total**2) / n**2
    return total / n / 255, float(variance) ** 0.5 / 255


def _compute_blur(grey: Image.Image) -> float | None:
    """Return the variance of the Laplacian from whole sums, strip by strip: the same as over all at once."""
    levels: NDArray[np.uint8] = np.asarray(grey)
    height, width = levels.shape
    if min(height, width) < _SMALLEST:
        return None
    total = squares = 0
    rows = max(1, _STRIP // width)
    for top in range(0, height - 2, rows):
        pixels = levels[top : top + rows + 2].astype(np.int16)
        around = pixels[:-2, 1:-1] + pixels[2:, 1:-1] + pixels[1:-1, :-2] + pixels[1:-1, 2:]
        laplacian = around - 4 * pixels[1:-1, 1:-1]
        total += int(laplacian.sum(dtype=np.int64))
        squares += int(np.square(laplacian, dtype=np.int32).sum(dtype=np.int64))
    n = int((height - 2) * (width - 2))
    return (n * squares - total**2) / n**2


def _compute_print(grey: Image.Image) -> bytes:
    """Return the difference hash (is a pixel brighter than its left neighbour, in 9 x 8) and the thumbnail."""
    small = np.asarray(grey.resize((_SIDE + 1, _SIDE), Image.Resampling.LANCZOS), dtype=np.int16)
    bits = np.packbits(small[:, 1:] > small[:, :-1]).tobytes()
    return bits + np.asarray(grey.resize((_SIDE, _SIDE), Image.Resampling.BOX), dtype=np.uint8).tobytes()
