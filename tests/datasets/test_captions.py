import json

import pytest

from uniemox_mm.datasets import describe
from uniemox_mm.datasets.captions import with_article

FULL = dict(
    brightness=0.1,
    colorfulness=0.9,
    scene='mountain_snowy',
    facial_expression='surprise',
    human_action='petting animal (not cat)',
    object=['Dog', 'Scissors', 'Umbrella'],
)


@pytest.mark.parametrize(
    ('attributes', 'emotion', 'sentence'),
    [
        ({}, None, 'A photo.'),
        ({}, 'fear', 'A photo that evokes fear.'),
        (
            FULL,
            'awe',
            'A very dark, vividly colorful photo that evokes awe, showing a '
            'surprised person petting animal on a snowy mountain, with a '
            'dog, scissors and an umbrella.',
        ),
        (
            dict(brightness=0.5),
            None,
            'An evenly lit photo.',
        ),
        (
            dict(scene='bakery/shop', object=['Bread']),
            'contentment',
            'A photo that evokes contentment, taken in a bakery shop, with '
            'bread.',
        ),
        (
            dict(human_action='squat', scene='airport_terminal'),
            None,
            'A photo, showing a person doing squats at an airport terminal.',
        ),
        (
            dict(human_action='archery'),
            None,
            'A photo, showing a person doing archery.',
        ),
        (
            dict(facial_expression='angry', object=[]),
            'anger',
            'A photo that evokes anger, showing an angry person.',
        ),
        (
            dict(FULL, brightness=None, scene=None, object=None),
            None,
            'A vividly colorful photo, showing a surprised person petting '
            'animal.',
        ),
        (dict(image_id='x', unknown=3), None, 'A photo.'),
        (dict(object=['Dog', ' ', '']), None, 'A photo, with a dog.'),
    ],
)
def test_sentences(attributes, emotion, sentence):
    assert describe(attributes, emotion) == sentence


def test_scales_become_five_words_each():
    looks = [
        describe(dict(brightness=i / 10)).removesuffix(' photo.')
        for i in range(11)
    ]
    assert looks == (
        ['A very dark'] * 2
        + ['A dark'] * 2
        + ['An evenly lit'] * 3
        + ['A bright'] * 2
        + ['A very bright'] * 2
    )
    looks = [
        describe(dict(colorfulness=i / 10)).removesuffix(' photo.')
        for i in range(11)
    ]
    assert looks == (
        ['A colorless'] * 2
        + ['A faintly colored'] * 2
        + ['A moderately colorful'] * 3
        + ['A colorful'] * 2
        + ['A vividly colorful'] * 2
    )


def test_is_deterministic_and_ignores_the_order_of_attributes():
    shuffled = json.loads(json.dumps(dict(reversed(list(FULL.items())))))
    assert describe(shuffled, 'awe') == describe(FULL, 'awe')


@pytest.mark.parametrize(
    ('attributes', 'message'),
    [
        (dict(brightness='high'), "brightness must be .*'high'"),
        (dict(colorfulness=1.5), 'colorfulness must be .* 1.5'),
        (dict(brightness=True), 'brightness must be a number'),
        (dict(brightness=float('nan')), 'brightness must be a number'),
        (dict(scene=3), 'scene must be a string, but is 3'),
        (dict(object='Dog'), "object must be a list of strings.*'Dog'"),
        (dict(object=[1]), 'object must be a list of strings'),
        (dict(object=5), 'object must be a list of strings'),
    ],
)
def test_wrong_attributes_are_refused(attributes, message):
    with pytest.raises(ValueError, match=message):
        describe(attributes)


@pytest.mark.parametrize(
    ('noun', 'expected'),
    [
        ('igloo', 'an igloo'),
        ('unicycle', 'a unicycle'),
        ('umbrella', 'an umbrella'),
        ('dog', 'a dog'),
    ],
)
def test_articles(noun, expected):
    assert with_article(noun) == expected
