"""Captions from EmoSet's attributes, the texts T of UniEmoX.

The template, with the parts in brackets if the attribute is given::

    A [{brightness}, ][{colorfulness} ]photo[ that evokes {emotion}][,
    showing a [{expression} ]person[ {action}]][ {in|on|at} a {scene}][, with
    a {object}, a {object} and a {object}].

With a scene but no person the scene follows as ", taken {in|on|at} a {scene}".

The emotion comes early because CLIP cuts a text after 77 tokens. The same
attributes always give the same sentence.
"""

from collections.abc import Mapping, Sequence

# Upper bounds of the five steps of EmoSet's 0.0 ... 1.0 scales.
_STEPS = (0.15, 0.35, 0.65, 0.85)
_BRIGHTNESS = ('very dark', 'dark', 'evenly lit', 'bright', 'very bright')
_COLORFULNESS = (
    'colorless',
    'faintly colored',
    'moderately colorful',
    'colorful',
    'vividly colorful',
)
_EXPRESSIONS = dict(
    angry='angry',
    disgust='disgusted',
    fear='frightened',
    happy='happy',
    sad='sad',
    surprise='surprised',
)
_SCENES = {
    'bakery/shop': 'bakery shop',
    'butchers_shop': "butcher's shop",
    'childs_room': "child's room",
    'kindergarden_classroom': 'kindergarten classroom',
    'mountain_snowy': 'snowy mountain',
}
_ON = set(
    'beach balcony boardwalk boat_deck bridge butte campus cliff coast '
    'crosswalk desert_road driveway escalator farm field_road forest_path '
    'forest_road glacier golf_course highway ice_floe ice_shelf iceberg '
    'islet lawn mountain mountain_path mountain_snowy ocean pasture patio '
    'pier plaza porch promenade raft railroad_track rope_bridge runway '
    'ski_slope snowfield staircase stage street tundra'.split()
)
_AT = set(
    'airport_terminal amusement_park bazaar construction_site fountain '
    'gas_station heliport hot_spring market picnic_area racecourse '
    'ski_resort stadium subway_station train_station water_park waterfall '
    'watering_hole'.split()
)
_ACTIONS = {
    'baby waking up': 'with a baby that wakes up',
    'crawling baby': 'with a crawling baby',
    'high kick': 'doing a high kick',
    'lunge': 'doing a lunge',
    'push up': 'doing push-ups',
    'pull ups': 'doing pull-ups',
    'rock scissors paper': 'playing rock paper scissors',
    'side kick': 'doing a side kick',
    'situp': 'doing sit-ups',
    'squat': 'doing squats',
}
_UNCOUNTED = set(
    'baked goods|beer|bread|broccoli|candy|clothing|coffee|dairy product|'
    'earrings|fast food|food|french fries|fruit|furniture|'
    'garden asparagus|glasses|goggles|headphones|high heels|jeans|juice|'
    'lavender|luggage and bags|marine invertebrates|'
    'moths and butterflies|office supplies|pasta|popcorn|roller skates|'
    'scissors|seafood|shellfish|shorts|stairs|sunglasses|sushi|swimwear|'
    'tableware|tea|trousers|wine|medical equipment|bowling equipment|'
    'hiking equipment|sports equipment'.split('|')
)
ATTRIBUTES = (
    'brightness',
    'colorfulness',
    'scene',
    'facial_expression',
    'human_action',
    'object',
)


def describe(attributes: Mapping, emotion: str | None = None) -> str:
    """Write one English sentence from the given attributes.

    Args:
        attributes (Mapping): Any of ``brightness`` and ``colorfulness``
            (0.0 to 1.0), ``scene``, ``facial_expression``, ``human_action``
            (strings of EmoSet), ``object`` (a list of strings); None counts
            as missing, other keys are ignored.
        emotion (str, optional): The emotion to name. Defaults to None, which
            leaves it out.

    Returns:
        str: The sentence, on one line.

    Raises:
        ValueError: An attribute has another type or is outside its range.

    Example:
        >>> describe(dict(brightness=0.8, facial_expression='happy',
        ...               scene='beach', object=['Dog', 'Umbrella']), 'awe')
        'A bright photo that evokes awe, showing a happy person on a beach, with a dog and an umbrella.'
    """  # noqa: E501
    given = {k: v for k, v in attributes.items() if v is not None}
    look = ', '.join(
        _step(given, name, words)
        for name, words in (
            ('brightness', _BRIGHTNESS),
            ('colorfulness', _COLORFULNESS),
        )
        if name in given
    )
    sentence = with_article(f'{look} photo' if look else 'photo')
    sentence = sentence[0].upper() + sentence[1:]
    if emotion:
        sentence += f' that evokes {emotion}'
    person, place = _person(given), _place(given)
    content: str | None
    if person:
        content = ' '.join(filter(None, ('showing', person, place)))
    else:
        content = f'taken {place}' if place else None
    return ', '.join(filter(None, (sentence, content, _objects(given)))) + '.'


def with_article(noun: str) -> str:
    """Put "a" or "an" before a noun, by its first letter."""
    hour_like = noun.startswith(('honest', 'hour'))
    you_like = noun.startswith(('uni', 'eu', 'one', 'use'))
    vowel = noun[0] in 'aeiou'
    an = (vowel and not you_like) or hour_like
    return f'{"an" if an else "a"} {noun}'


def _step(given: Mapping, name: str, words: Sequence[str]) -> str:
    value = given[name]
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or not 0 <= value <= 1:
        raise ValueError(
            f'{name} must be a number from 0.0 to 1.0, but is {value!r}'
        )
    return words[sum(value >= bound for bound in _STEPS)]


def _text(given: Mapping, name: str) -> str | None:
    value = given.get(name)
    if value is not None and not isinstance(value, str):
        raise ValueError(f'{name} must be a string, but is {value!r}')
    return ' '.join(value.split()) if value else None


def _person(given: Mapping) -> str | None:
    expression = _text(given, 'facial_expression')
    action = _text(given, 'human_action')
    if not expression and not action:
        return None
    person = 'person'
    if expression:
        person = f'{_EXPRESSIONS.get(expression, expression)} person'
    if not action:
        return with_article(person)
    plain = action.split(' (')[0]
    if plain in _ACTIONS:
        doing = _ACTIONS[plain]
    elif any(word.endswith('ing') for word in plain.split()):
        doing = plain
    else:
        doing = f'doing {plain}'
    return f'{with_article(person)} {doing}'


def _place(given: Mapping) -> str | None:
    scene = _text(given, 'scene')
    if not scene:
        return None
    preposition = 'on' if scene in _ON else 'at' if scene in _AT else 'in'
    name = _SCENES.get(scene, scene.replace('_', ' ').replace('/', ' '))
    return f'{preposition} {with_article(name)}'


def _objects(given: Mapping) -> str:
    objects = given.get('object', [])
    if not isinstance(objects, (list, tuple)) or not all(
        isinstance(item, str) for item in objects
    ):
        raise ValueError(
            f'object must be a list of strings, but is {objects!r}'
        )
    names = [' '.join(i.lower().split()) for i in objects if i.strip()]
    nouns = [n if n in _UNCOUNTED else with_article(n) for n in names]
    if not nouns:
        return ''
    last = nouns.pop()
    return f'with {", ".join(nouns)} and {last}' if nouns else f'with {last}'
