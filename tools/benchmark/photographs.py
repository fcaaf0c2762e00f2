"""Pictures that are as hard to decode as photographs, with people."""

import io
from collections.abc import Iterator

import numpy as np
from PIL import Image, ImageDraw

# Width and height of photographs, 3:2 and 4:3, both ways.
SHAPES = ((1024, 683), (683, 1024), (1024, 768), (768, 1024))
QUALITY = 90
_CELLS = (3, 4)  # the coarsest clouds of a wide picture, down and across
_DECAY = 2**-0.7  # of their contrast, each time they are half as large
_CONTRAST, _BRIGHTNESS = 58, 118
_GRAIN = 5.5


def photographs(
    count: int, seed: int = 0
) -> Iterator[tuple[bytes, list[list[float]]]]:
    """Draw clouds of all sizes, people, and the grain of a sensor.

    Args:
        count (int): How many.
        seed (int): Other seeds give other pictures. Defaults to 0.

    Yields:
        tuple[bytes, list[list[float]]]: A JPEG of 1024 pixels, 150 to 300
        KB, and the boxes of up to two people, x1, y1, x2, y2, score in
        pixels.
    """
    for number in range(count):
        rng = np.random.default_rng([seed, number])
        image = Image.fromarray(_clouds(SHAPES[number % len(SHAPES)], rng))
        people = rng.choice([0, 1, 2], p=[0.12, 0.73, 0.15])
        boxes = [_draw_person(image, rng) for _ in range(people)]
        grain = rng.normal(0, _GRAIN, (image.height, image.width, 1))
        pixels = np.asarray(image) + grain
        file = io.BytesIO()
        Image.fromarray(pixels.round().clip(0, 255).astype(np.uint8)).save(
            file, 'JPEG', quality=QUALITY
        )
        yield file.getvalue(), boxes


def _clouds(size: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Noise with the spectrum of photographs, (H, W, 3) uint8."""
    long, short = max(size), min(size)
    field: np.ndarray = np.zeros((*_CELLS, 3), np.float32)
    contrast = 1.0
    while field.shape[0] < short or field.shape[1] < long:
        noise = rng.standard_normal(field.shape, np.float32)
        field += contrast * (0.35 * noise + 0.85 * noise[..., :1])
        larger = (2 * field.shape[1], 2 * field.shape[0])
        channels = [Image.fromarray(field[..., c]) for c in range(3)]
        field = np.stack(
            [c.resize(larger, Image.Resampling.BICUBIC) for c in channels], -1
        )
        contrast *= _DECAY
    field = field[:short, :long]
    if size[0] < size[1]:
        field = field.swapaxes(0, 1)
    pixels = field / field.std() * _CONTRAST + _BRIGHTNESS
    return pixels.clip(0, 255).astype(np.uint8)


def _draw_person(image: Image.Image, rng: np.random.Generator) -> list[float]:
    """Draw a head and a body; return the box around them with a score."""
    tall = rng.uniform(0.35, 0.9) * image.height
    wide = min(rng.uniform(0.3, 0.5) * tall, image.width)
    x1 = rng.uniform(0, image.width - wide)
    y1 = rng.uniform(0, image.height - tall)
    x2, y2 = x1 + wide, y1 + tall
    skin, cloth = (tuple(map(int, c)) for c in rng.uniform(40, 220, (2, 3)))
    draw = ImageDraw.Draw(image)
    neck = y1 + tall / 5
    draw.rounded_rectangle([x1, neck, x2, y2], radius=wide / 4, fill=cloth)
    draw.ellipse([x1 + wide / 4, y1, x2 - wide / 4, neck], fill=skin)
    return [*(round(float(v), 1) for v in (x1, y1, x2, y2)), 0.99]
