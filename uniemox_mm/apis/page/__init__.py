"""A web page that predicts the emotions of an uploaded image."""

from .analyze_image import analyze_image, reconstruct_image
from .build_page import build_page, choose_examples, import_gradio, serve
from .page_models import PageModels, load_models

__all__ = [
    'PageModels',
    'analyze_image',
    'build_page',
    'choose_examples',
    'import_gradio',
    'load_models',
    'reconstruct_image',
    'serve',
]
