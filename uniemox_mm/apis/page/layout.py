"""The page itself, in Gradio."""

import html
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from .answers import Answer, look_at, paint
from .models import PageModels, default_ratio, largest_ratio
from .serving import import_gradio

TITLE = 'The emotion of an image'
_NO_PAINTER = (
    'no checkpoint of pretraining was given when the page was started'
)
# What the slider's field says on its way to the painter: Gradio refuses what
# is out of range with a traceback, also while somebody is typing.
_CLIP = '(path, percent) => [path, Math.min(Math.max(percent, 1), {most})]'
# Uploads and pictures are kept for a day, and looked through every hour.
_CACHE = (3600, 86400)


def build_page(models: PageModels, examples: Sequence[str | Path] = ()) -> Any:
    """Lays out the page.

    Args:
        models (PageModels): What answers.
        examples (Sequence[str | Path]): Images to try. Defaults to none.

    Returns:
        gradio.Blocks: The page, for ``serve``.

    Raises:
        ImportError: Gradio is not installed.
    """
    gr = import_gradio()
    with gr.Blocks(
        title=TITLE, analytics_enabled=False, delete_cache=_CACHE
    ) as page:
        gr.HTML(_introduction(models), padding=False)
        # The path of an image that could be read: what is painted.
        readable = gr.State(None)
        with gr.Row():
            with gr.Column(min_width=300):
                # Not gr.Image: that refuses what browsers cannot show, and
                # gives no clear message where a file is no image.
                file = gr.File(label='Image', height=160, elem_id='upload')
                problem = gr.HTML(visible=False, elem_id='problem')
                if examples:
                    _offer(gr, examples, file)
                people_panel, *people = _panel(gr, 'people', 'webp')
            with gr.Column(min_width=300):
                # Shown while it is empty, too, for its progress.
                with gr.Column() as bars_panel:
                    bars = gr.Label(
                        label='Emotions',
                        num_top_classes=len(models.infer.classes),
                        elem_id='emotions',
                    )
                cam_panel, *cam = _panel(gr, 'cam', 'png')
        with gr.Column(visible=False) as painting:
            painter = _painter(gr, models, readable)
        panels = [people_panel, cam_panel, painting]

        def answer(path: str | None) -> list:
            found = Answer() if path is None else look_at(models, path)
            return [
                gr.HTML(_problem(found.problem), visible=bool(found.problem)),
                path if found.scores else None,
                found.scores or None,
                gr.Column(visible=bool(found.scores) or not found.problem),
                *[gr.Column(visible=bool(found.scores))] * len(panels),
                _title('The image, and people in it', found.people_note),
                _picture(gr, found.people),
                _title('Where it looks (Grad-CAM)', found.cam_note),
                _picture(gr, found.cam),
            ]

        shown = [problem, readable, bars, bars_panel]
        shown += [*panels, *people, *cam]
        looked = file.change(answer, file, shown, api_name='look')
        if painter:
            looked.then(**painter, api_name=False)
    return page


def _introduction(models: PageModels) -> str:
    """What the page shows, and by which model."""
    classes = models.infer.classes
    about = (
        f'{models.describe()}. {len(classes)} classes: {", ".join(classes)}. '
        f'{models.describe_others()}'
    ).strip()
    return (
        f'<h1 style="margin-bottom: 0.3em">{TITLE}</h1>'
        '<p>Drop an image: which emotions it evokes, who is in it, where the '
        'model looks, and what a masked autoencoder makes of it.</p>'
        f'<p class="note">{html.escape(about)}</p>'
    )


def _offer(gr: ModuleType, examples: Sequence[str | Path], file: Any) -> None:
    """Small pictures; a click on one is as its upload."""
    paths = [str(path) for path in examples]
    offered = gr.Dataset(
        label='Or one of these',
        components=[gr.Image(visible=False)],
        samples=[[path] for path in paths],
        type='index',
        elem_id='examples',
    )
    offered.click(paths.__getitem__, offered, file, show_progress='hidden')


def _panel(gr: ModuleType, name: str, kind: str) -> tuple[Any, Any, Any]:
    """What is hidden until there is something: a title and a picture."""
    with gr.Column(visible=False) as panel:
        title = gr.HTML(padding=False, elem_id=f'{name}-title')
        picture = _image(gr, name, kind, height=380)
    return panel, title, picture


def _painter(
    gr: ModuleType, models: PageModels, readable: Any
) -> dict[str, Any] | None:
    """The reconstruction: what fills it in, as settings of an event."""
    title = gr.HTML(
        _title('Reconstruction', _NO_PAINTER),
        padding=False,
        elem_id='reconstruction-title',
    )
    if not models.painters:
        return None
    (painter,) = models.painters.values()
    most = largest_ratio(painter)
    ratio = gr.Slider(
        1,
        most,
        default_ratio(painter),
        step=1,
        label='Hidden, in percent',
        elem_id='ratio',
    )
    with gr.Row():
        captions = dict(
            masked='what is left', painted='what is painted', pasted='both'
        )
        pictures = [
            _captioned(gr, name, caption) for name, caption in captions.items()
        ]

    def show(path: str | None, percent: float) -> list:
        if path is None:
            return ['', None, None, None]
        found = paint(models, path, percent)
        return [
            _title('Reconstruction', found.note),
            *(_picture(gr, getattr(found, name)) for name in captions),
        ]

    event: dict[str, Any] = dict(
        fn=show,
        inputs=[readable, ratio],
        outputs=[title, *pictures],
        js=_CLIP.format(most=most),
        show_progress='hidden',
    )
    # The slider moves on while a picture is painted, and only where it ends
    # is painted next.
    ratio.change(**event, trigger_mode='always_last', api_name='paint')
    return event


def _captioned(gr: ModuleType, name: str, caption: str) -> Any:
    with gr.Column(min_width=200):
        picture = _image(gr, name, 'png', height=300)
        gr.HTML(
            f'<div class="note caption">{caption}</div>',
            padding=False,
            elem_id=f'{name}-caption',
        )
    return picture


def _image(gr: ModuleType, name: str, kind: str, **look: int) -> Any:
    return gr.Image(
        show_label=False,
        elem_id=name,
        format=kind,
        interactive=False,
        buttons=['fullscreen'],
        **look,
    )


def _picture(gr: ModuleType, pixels: np.ndarray | None) -> Any:
    return gr.Image(pixels, visible=pixels is not None)


def _title(title: str, note: str) -> str:
    return (
        f'<b>{title}</b> &nbsp;<span class="note">{html.escape(note)}</span>'
    )


def _problem(text: str) -> str:
    return f'<div class="problem" role="alert">{html.escape(text)}</div>'
