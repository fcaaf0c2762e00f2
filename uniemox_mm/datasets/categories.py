"""Class names, in the official order of each dataset."""

# Not alphabetical: the first four are positive, the others negative.
EMOSET_CATEGORIES = (
    'amusement',
    'awe',
    'contentment',
    'excitement',
    'anger',
    'disgust',
    'fear',
    'sadness',
)
EMOSET_POLARITIES = ('positive', 'negative')
