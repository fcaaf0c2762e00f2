"""Class names, in the official order of each dataset."""

# Not alphabetical: the first four are positive, the others negative. Emo8 has
# the same eight.
EMOSET_CATEGORIES = (
    'amusement', 'awe', 'contentment', 'excitement',
    'anger', 'disgust', 'fear', 'sadness',
)  # fmt: skip
EMOSET_POLARITIES = ('positive', 'negative')
CAERS_CATEGORIES = (
    'Anger', 'Disgust', 'Fear', 'Happy', 'Neutral', 'Sad', 'Surprise',
)  # fmt: skip
FI_CATEGORIES = (
    'amusement', 'anger', 'awe', 'contentment',
    'disgust', 'excitement', 'fear', 'sadness',
)  # fmt: skip
EMOTION6_CATEGORIES = (
    'anger', 'disgust', 'fear', 'joy', 'sadness', 'surprise',
)  # fmt: skip
UNBIASED_EMO_CATEGORIES = (
    'anger', 'fear', 'joy', 'love', 'sadness', 'surprise',
)  # fmt: skip
HECO_CATEGORIES = (
    'Surprise', 'Excitement', 'Happiness', 'Peace',
    'Disgust', 'Anger', 'Fear', 'Sadness',
)  # fmt: skip
