"""Build the page with Gradio, and serve it."""

import html
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from uniemox_mm.datasets.image_lists import list_images

from .analyze_image import ImageAnalysis, analyze_image, reconstruct_image
from .page_models import PageModels, default_ratio, largest_ratio

TITLE = 'The emotions of an image'
_INTRODUCTION = (
    'Upload an image to see which emotions it evokes, who is in it, where the '
    'model looks, and how a masked autoencoder reconstructs it.'
)
# Clips the slider's text field in the browser: Gradio answers values that are
# out of range with a traceback, even while somebody is typing.
_CLIP = '(path, percent) => [path, Math.min(Math.max(percent, 1), {most})]'
# Uploads and pictures are kept for a day and checked every hour.
_CACHE = (3600, 86400)
_CSS = """
.html-container, .html-container .prose {padding: 0 !important}
.gradio-container {max-width: 1100px !important; margin: 0 auto !important}
#examples .gallery {
  display: grid; grid-template-columns: repeat(auto-fill, minmax(52px, 1fr))
}
#examples img, #examples .container {
  width: 100% !important; height: 60px !important; object-fit: cover
}
.caption {text-align: center}
.note {font-size: 0.9em; opacity: 0.75; overflow-wrap: anywhere}
.problem {
  padding: 0.75em 1em; border-radius: 6px; overflow-wrap: anywhere;
  background: #fde8e8; color: #8a1c1c; border: 1px solid #f3b4b4
}
"""


def import_gradio() -> ModuleType:
    """Import Gradio, which only the page needs.

    Raises:
        ImportError: It is not installed; the message says what to do.
    """
    try:
        import gradio
    except ImportError:
        raise ImportError(
            'the page needs the package gradio: pip install gradio, or '
            "pip install -e '.[page]'"
        ) from None
    return gradio


def choose_examples(folder: str | Path, count: int = 8) -> list[Path]:
    """Choose images evenly spread over a folder and its subfolders.

    Args:
        folder (str | Path): The folder.
        count (int): Number of images, or fewer if it has no more. Defaults to
            8: one of each class, of a folder for each of 8 classes.

    Returns:
        list[Path]: The images, sorted.

    Raises:
        FileNotFoundError: There is no such folder.
        ValueError: It holds no images.
    """
    images = list_images([folder])
    total = len(images.names)
    count = min(count, total)
    return [
        images.root / images.names[i * total // count] for i in range(count)
    ]


def build_page(models: PageModels, examples: Sequence[str | Path] = ()) -> Any:
    """Build the page.

    Args:
        models (PageModels): The models.
        examples (Sequence[str | Path]): Images to try. Defaults to none.

    Returns:
        gradio.Blocks: The page, for :func:`serve`.

    Raises:
        ImportError: Gradio is not installed.
    """
    gr = import_gradio()
    with gr.Blocks(
        title=TITLE, analytics_enabled=False, delete_cache=_CACHE
    ) as page:
        gr.HTML(
            f'<h1 style="margin-bottom: 0.3em">{TITLE}</h1>'
            f'<p>{_INTRODUCTION}</p>'
            f'<p class="note">{html.escape(models.describe())}</p>',
            padding=False,
        )
        # Path of the last image that could be read, for the reconstruction.
        readable = gr.State(None)
        with gr.Row():
            with gr.Column(min_width=300):
                # Not gr.Image, which refuses formats that browsers cannot
                # show and gives no clear message for broken files.
                file = gr.File(label='Image', height=160, elem_id='upload')
                problem = gr.HTML(visible=False, elem_id='problem')
                if examples:
                    _add_examples(gr, examples, file)
                people_panel, *people = _add_panel(gr, 'people', 'webp')
            with gr.Column(min_width=300):
                # Visible even while it is empty, to show its progress.
                with gr.Column() as scores_panel:
                    scores = gr.Label(
                        label='Emotions',
                        num_top_classes=len(models.infer.classes),
                        elem_id='emotions',
                    )
                cam_panel, *cam = _add_panel(gr, 'cam', 'png')
        with gr.Column(visible=False) as reconstruction_panel:
            reconstruct = _add_reconstruction(gr, models, readable)
        panels = [people_panel, cam_panel, reconstruction_panel]

        def analyze(path: str | None) -> list:
            found = ImageAnalysis()
            if path is not None:
                found = analyze_image(models, path)
            has_scores, has_problem = bool(found.scores), bool(found.problem)
            message = html.escape(found.problem)
            return [
                gr.HTML(
                    f'<div class="problem" role="alert">{message}</div>',
                    visible=has_problem,
                ),
                path if has_scores else None,
                found.scores or None,
                gr.Column(visible=has_scores or not has_problem),
                *[gr.Column(visible=has_scores)] * len(panels),
                _title('Image and people', found.people_note),
                _picture(gr, found.people),
                _title('Where the model looks', found.cam_note),
                _picture(gr, found.cam),
            ]

        outputs = [problem, readable, scores, scores_panel]
        outputs += [*panels, *people, *cam]
        analyzed = file.change(analyze, file, outputs, api_name='analyze')
        if reconstruct:
            analyzed.then(**reconstruct, api_name=False)
    return page


def _add_examples(
    gr: ModuleType, examples: Sequence[str | Path], file: Any
) -> None:
    """Add thumbnails; a click on one is like its upload."""
    paths = [str(path) for path in examples]
    thumbnails = gr.Dataset(
        label='Or try one of these',
        components=[gr.Image(visible=False)],
        samples=[[path] for path in paths],
        type='index',
        elem_id='examples',
    )
    thumbnails.click(
        paths.__getitem__, thumbnails, file, show_progress='hidden'
    )


def _add_panel(gr: ModuleType, name: str, kind: str) -> tuple[Any, Any, Any]:
    """Add a column of a title and a picture, which is hidden at first."""
    with gr.Column(visible=False) as panel:
        title = gr.HTML(padding=False, elem_id=f'{name}-title')
        picture = _add_image(gr, name, kind, height=380)
    return panel, title, picture


def _add_reconstruction(
    gr: ModuleType, models: PageModels, readable: Any
) -> dict[str, Any] | None:
    """Add the reconstruction; return the settings of its event, if any."""
    absent = 'no checkpoint of pretraining (--pretrained) was given'
    title = gr.HTML(
        _title('Reconstruction', absent),
        padding=False,
        elem_id='reconstruction-title',
    )
    if models.pretrained is None:
        return None
    most = largest_ratio(models.pretrained)
    ratio = gr.Slider(
        1,
        most,
        default_ratio(models.pretrained),
        step=1,
        label='Mask ratio in percent',
        elem_id='ratio',
    )
    captions = dict(
        masked='masked image',
        reconstruction='reconstruction',
        pasted='reconstruction in masked patches only',
    )
    pictures = []
    with gr.Row():
        for name, caption in captions.items():
            with gr.Column(min_width=200):
                pictures.append(_add_image(gr, name, 'png', height=300))
                gr.HTML(
                    f'<div class="note caption">{caption}</div>',
                    padding=False,
                    elem_id=f'{name}-caption',
                )

    def reconstruct(path: str | None, percent: float) -> list:
        if path is None:
            return ['', None, None, None]
        found = reconstruct_image(models, path, percent)
        return [
            _title('Reconstruction', found.note),
            *(_picture(gr, getattr(found, name)) for name in captions),
        ]

    event: dict[str, Any] = dict(
        fn=reconstruct,
        inputs=[readable, ratio],
        outputs=[title, *pictures],
        js=_CLIP.format(most=most),
        show_progress='hidden',
    )
    # While the slider moves during a reconstruction, only its last value is
    # taken next.
    ratio.change(**event, trigger_mode='always_last', api_name='reconstruct')
    return event


def _add_image(gr: ModuleType, name: str, kind: str, height: int) -> Any:
    return gr.Image(
        show_label=False,
        elem_id=name,
        format=kind,
        interactive=False,
        buttons=['fullscreen'],
        height=height,
    )


def _picture(gr: ModuleType, pixels: np.ndarray | None) -> Any:
    return gr.Image(pixels, visible=pixels is not None)


def _title(title: str, note: str) -> str:
    return (
        f'<b>{title}</b> &nbsp;<span class="note">{html.escape(note)}</span>'
    )


def serve(page: Any, host: str, port: int) -> None:
    """Serve the page until it is interrupted.

    No fonts, scripts or analytics are loaded from other hosts.

    Args:
        page (gradio.Blocks): The page of :func:`build_page`.
        host (str): Address to listen on; '127.0.0.1' for this machine only.
        port (int): Port to listen on.

    Raises:
        OSError: The port is taken, or the address is not this machine's.
    """
    gr = import_gradio()
    theme = gr.themes.Default(
        font=['system-ui', 'sans-serif'], font_mono=['monospace']
    )
    try:
        _, url, _ = page.launch(
            server_name=host,
            server_port=port,
            theme=theme,
            css=_CSS,
            footer_links=[],
            run_history=False,
            ssr_mode=False,
            share=False,
            quiet=True,
            max_file_size='200mb',
            prevent_thread_lock=True,
        )
    except OSError:  # Gradio's message names its own variables
        raise OSError(
            f'{host}:{port}: the port is taken, or this machine has no such '
            'address; choose others with --port and --host'
        ) from None
    print(f'The page is at {url} (Ctrl-C stops it)', flush=True)
    page.block_thread()
