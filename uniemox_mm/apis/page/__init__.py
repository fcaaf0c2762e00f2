"""A page in the browser: drop an image, see what the models make of it."""

from .answers import look_at, paint
from .examples import choose_examples
from .layout import build_page
from .models import PageModels, load_models
from .serving import import_gradio, serve

__all__ = [
    'PageModels',
    'build_page',
    'choose_examples',
    'import_gradio',
    'load_models',
    'look_at',
    'paint',
    'serve',
]
