"""Draws landscapes and rooms with people whose mood shows."""

import numpy as np
from PIL import Image, ImageDraw

# emotion: (hue of the light in degrees, expression, action, darkness)
_MOODS = dict(
    amusement=(50, 'happy', 'laughing', 0.0),
    awe=(260, 'surprise', None, 0.2),
    contentment=(110, 'happy', 'reading book', 0.1),
    excitement=(25, 'happy', 'dancing', 0.0),
    anger=(0, 'angry', 'pumping fist', 0.3),
    disgust=(75, 'disgust', None, 0.4),
    fear=(230, 'fear', 'shaking head', 0.6),
    sadness=(210, 'sad', 'crying', 0.5),
)
_SCENES = ('beach', 'mountain', 'park', 'street', 'bedroom')
_OBJECTS = ('Ball', 'Tree', 'House', 'Umbrella')
_SUPERSAMPLING = 2


def draw_sample(
    emotion: str, size: int, rng: np.random.Generator
) -> tuple[Image.Image, dict, list[list[float]]]:
    """Draws one picture.

    Args:
        emotion (str): One of EmoSet's eight.
        size (int): Height in pixels.
        rng (np.random.Generator): Decides everything else.

    Returns:
        tuple[Image.Image, dict, list[list[float]]]: The picture, EmoSet's
        attributes of it (each missing now and then), and the boxes of the
        people, x1, y1, x2, y2, score in pixels.
    """
    hue, expression, action, darkness = _MOODS[emotion]
    scale = _SUPERSAMPLING
    height = size * scale
    width = int(height * rng.uniform(0.8, 1.4))
    scene = str(rng.choice(_SCENES))
    image = Image.new('RGB', (width, height))
    draw = ImageDraw.Draw(image)
    light = hsv_color(hue + rng.uniform(-12, 12), 0.45, 0.95 - darkness)
    _draw_scene(draw, scene, width, height, light, 1 - darkness, rng)
    things = [str(o) for o in rng.permutation(_OBJECTS)[: rng.integers(0, 3)]]
    for thing in things:
        _draw_object(draw, thing, width, height, 1 - darkness, rng)
    people = int(rng.choice([0, 1, 2], p=[0.12, 0.73, 0.15]))
    boxes = []
    for slot in range(people):
        box = _draw_person(
            draw, (slot + 0.5) / people, width, height, hue, expression, rng
        )
        boxes.append([round(v / scale, 1) for v in box] + [0.99])
    image = image.resize((width // scale, size), Image.Resampling.LANCZOS)
    hsv = np.asarray(image.convert('HSV'), np.float64) / 255
    attributes = dict(
        brightness=round(hsv[..., 2].mean(), 1),
        colorfulness=round(hsv[..., 1].mean(), 1),
        scene=scene,
        object=things or None,
        facial_expression=expression if people else None,
        human_action=action if people else None,
    )
    kept = {
        name: value
        for name, value in attributes.items()
        if value is not None and rng.random() > 0.25
    }
    return image, kept, boxes


def hsv_color(
    hue: float, saturation: float, value: float
) -> tuple[int, int, int]:
    """RGB in 0 to 255 of a hue in degrees, the others in 0 to 1."""
    pixel = Image.new(
        'HSV',
        (1, 1),
        (
            int(hue % 360 / 360 * 255),
            int(np.clip(saturation, 0, 1) * 255),
            int(np.clip(value, 0, 1) * 255),
        ),
    )
    red, green, blue = pixel.convert('RGB').tobytes()
    return red, green, blue


def _draw_scene(draw, scene, width, height, light, value, rng) -> None:
    horizon = int(height * rng.uniform(0.45, 0.65))
    top = np.array(light) * 0.55
    for y in range(horizon):
        mix = y / horizon
        shade = (1 - mix) * top + mix * np.array(light)
        draw.line([(0, y), (width, y)], fill=tuple(shade.astype(int)))
    ground = dict(beach=42, mountain=95, park=105, street=220, bedroom=25)
    saturation = 0.12 if scene == 'street' else 0.5
    draw.rectangle(
        [0, horizon, width, height],
        fill=hsv_color(ground[scene], saturation, 0.7 * value),
    )
    if scene == 'beach':
        sea = horizon + int(0.12 * height)
        blue = hsv_color(205, 0.6, 0.75 * value)
        draw.rectangle([0, horizon, width, sea], fill=blue)
    elif scene == 'mountain':
        for _ in range(3):
            x = rng.uniform(0, width)
            peak = rng.uniform(0.1, 0.35) * height
            half = rng.uniform(0.25, 0.5) * width
            slope = [(x - half, horizon), (x, peak), (x + half, horizon)]
            grey = hsv_color(230, 0.15, rng.uniform(0.35, 0.6) * value)
            draw.polygon(slope, fill=grey)
    elif scene == 'street':
        for x in range(0, width, width // 5):
            roof = int(rng.uniform(0.1, 0.35) * height)
            wall = hsv_color(rng.uniform(0, 60), 0.3, 0.55 * value)
            draw.rectangle([x, roof, x + width // 6, horizon], fill=wall)
    elif scene == 'bedroom':
        draw.rectangle(
            [0.1 * width, 0.12 * height, 0.35 * width, 0.4 * height],
            fill=hsv_color(200, 0.2, value),
            outline=hsv_color(25, 0.6, 0.4),
            width=6,
        )


def _draw_object(draw, thing, width, height, value, rng) -> None:
    x = rng.uniform(0.08, 0.92) * width
    base = rng.uniform(0.7, 0.95) * height
    s = rng.uniform(0.12, 0.2) * height
    color = hsv_color(rng.uniform(0, 360), 0.7, 0.85 * value)
    brown = hsv_color(28, 0.6, 0.4 * value)
    if thing == 'Ball':
        draw.ellipse([x - s / 2, base - s, x + s / 2, base], fill=color)
    elif thing == 'Tree':
        draw.rectangle(
            [x - s / 8, base - 1.4 * s, x + s / 8, base], fill=brown
        )
        leaves = [x - 0.7 * s, base - 2.6 * s, x + 0.7 * s, base - s]
        draw.ellipse(leaves, fill=hsv_color(120, 0.6, 0.5 * value))
    elif thing == 'House':
        draw.rectangle([x - s, base - 1.2 * s, x + s, base], fill=color)
        roof = [(x - 1.2 * s, base - 1.2 * s), (x, base - 2.1 * s)]
        draw.polygon([*roof, (x + 1.2 * s, base - 1.2 * s)], fill=brown)
    else:
        draw.line([(x, base - 1.5 * s), (x, base)], fill=brown, width=5)
        shade = [x - s, base - 2 * s, x + s, base - s]
        draw.pieslice(shade, 180, 360, fill=color)


def _draw_person(
    draw, place, width, height, hue, expression, rng
) -> tuple[float, float, float, float]:
    """Draws someone and returns the tight box around them."""
    tall = rng.uniform(0.5, 0.85) * height
    bottom = height * rng.uniform(0.93, 0.99)
    x = width * place + rng.uniform(-0.06, 0.06) * width
    top = bottom - tall
    head = 0.17 * tall
    shoulders, hips = top + 2 * head, top + 0.62 * tall
    half = 0.13 * tall
    skin = hsv_color(25, rng.uniform(0.25, 0.6), rng.uniform(0.5, 0.95))
    cloth = hsv_color(hue + rng.uniform(-25, 25), 0.75, rng.uniform(0.5, 0.9))
    legs = hsv_color(rng.uniform(200, 260), 0.4, 0.35)
    line = max(2, int(0.035 * tall))
    for side in (-1, 1):
        foot = (x + side * half, bottom - line / 2)
        draw.line([(x + side * half / 3, hips), foot], fill=legs, width=line)
    draw.rounded_rectangle(
        [x - half, shoulders, x + half, hips], radius=half / 2, fill=cloth
    )
    lift = dict(happy=-1.0, surprise=-0.8, angry=-0.4).get(expression, 1.0)
    reach = 0.28 * tall
    for side in (-1, 1):
        hand = (x + side * (half + reach * 0.7), shoulders + lift * reach)
        arm = [(x + side * half, shoulders + line), hand]
        draw.line(arm, fill=skin, width=line)
    draw.ellipse([x - head, top, x + head, top + 2 * head], fill=skin)
    _draw_face(draw, x, top + head, head, expression)
    hands = half + reach * 0.7 + line / 2
    high = min(top, shoulders + lift * reach - line / 2)
    return (
        max(0.0, x - max(hands, head)),
        max(0.0, high),
        min(float(width), x + max(hands, head)),
        min(float(height), bottom),
    )


def _draw_face(draw, x, y, r, expression) -> None:
    dark, line = (30, 20, 20), max(2, int(r / 8))
    wide = 1.6 if expression in ('surprise', 'fear') else 1.0
    for side in (-1, 1):
        ex, ey, er = x + side * 0.38 * r, y - 0.15 * r, 0.1 * r * wide
        draw.ellipse([ex - er, ey - er, ex + er, ey + er], fill=dark)
        tilt = dict(angry=0.22, sad=-0.22, fear=-0.15).get(expression, 0)
        brow = y - 0.45 * r
        inner = (x + side * 0.2 * r, brow + tilt * r)
        outer = (x + side * 0.6 * r, brow - tilt * r / 2)
        draw.line([inner, outer], fill=dark, width=line)
    mouth = [x - 0.4 * r, y + 0.1 * r, x + 0.4 * r, y + 0.65 * r]
    if expression == 'happy':
        draw.chord(mouth, 0, 180, fill=(150, 30, 40))
    elif expression in ('surprise', 'fear'):
        draw.ellipse(
            [x - 0.2 * r, y + 0.25 * r, x + 0.2 * r, y + 0.75 * r], fill=dark
        )
    elif expression == 'disgust':
        zigzag = [
            (x + (i - 2) * 0.18 * r, y + (0.45 + 0.1 * (i % 2)) * r)
            for i in range(5)
        ]
        draw.line(zigzag, fill=dark, width=line)
    else:
        low = [x - 0.4 * r, y + 0.4 * r, x + 0.4 * r, y + 0.9 * r]
        draw.arc(low, 180, 360, fill=dark, width=line)
