"""Errors of samples and of cached features."""


class BadSampleError(ValueError):
    """An image, its annotation or its boxes are broken.

    The message names the file, what was found and what was expected. Datasets
    with ``on_bad_sample='skip'`` skip such samples; all else is an error in
    the dataset's lists or in the code and always stops the run.
    """


class StaleFeaturesError(ValueError):
    """Cached features were computed for other samples or weights."""
