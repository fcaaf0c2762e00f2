import numpy as np
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
    words = dict(
        brightness='very dark, dark, evenly lit, bright, very bright',
        colorfulness='colorless, faintly colored, moderately colorful, '
        'colorful, vividly colorful',
    )
    for name, scale in words.items():
        found = [describe({name: i / 10}) for i in range(11)]
        looks = [text.split(' ', 1)[1].split(' photo')[0] for text in found]
        steps = np.repeat(scale.split(', '), [2, 2, 3, 2, 2])
        assert looks == steps.tolist()


def test_order_of_the_attributes_does_not_matter():
    assert describe(dict(reversed(FULL.items())), 'awe') == describe(
        FULL, 'awe'
    )


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
