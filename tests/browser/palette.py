"""Writes pictures of pages as small PNGs: pages have few colours, so each pixel is a number in a palette."""

from __future__ import annotations

import base64
import struct
import zlib
from collections import Counter
from typing import Final

from playwright.sync_api import Page

COLOURS_MAX: Final = 256
BYTES_MAX: Final = 60_000

_PIXELS: Final = """async (png) => {
  const picture = await createImageBitmap(await (await fetch(`data:image/png;base64,${png}`)).blob());
  const canvas = new OffscreenCanvas(picture.width, picture.height).getContext("2d");
  canvas.drawImage(picture, 0, 0);
  const { data, width, height } = canvas.getImageData(0, 0, picture.width, picture.height);
  const bytes = new Uint8Array(data);
  let text = "";
  for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return [width, height, btoa(text)];
}"""

Colour = tuple[int, int, int]


def small(page: Page, png: bytes) -> bytes:
    """The same picture in a palette of its commonest colours; the others become the nearest. Any empty page decodes it."""
    width, height, encoded = page.evaluate(_PIXELS, base64.b64encode(png).decode())
    pixels = base64.b64decode(encoded)
    colours = list(zip(pixels[0::4], pixels[1::4], pixels[2::4], strict=True))
    palette = [colour for colour, _ in Counter(colours).most_common(COLOURS_MAX)]
    numbers = {colour: number for number, colour in enumerate(palette)}
    for colour in set(colours) - numbers.keys():
        numbers[colour] = _nearest(colour, palette)
    rows = bytes(numbers[colour] for colour in colours)
    lines = b"".join(b"\0" + rows[start : start + width] for start in range(0, width * height, width))
    return b"".join(
        [
            b"\x89PNG\r\n\x1a\n",
            _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)),
            _chunk(b"PLTE", bytes(part for colour in palette for part in colour)),
            _chunk(b"IDAT", zlib.compress(lines, 9)),
            _chunk(b"IEND", b""),
        ]
    )


def _nearest(colour: Colour, palette: list[Colour]) -> int:
    distances = [sum((one - other) ** 2 for one, other in zip(colour, each, strict=True)) for each in palette]
    return distances.index(min(distances))


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
