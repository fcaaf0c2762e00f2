"""Serves the page, to this machine unless asked otherwise."""

from types import ModuleType
from typing import Any

_MISSING = (
    'the page needs the package gradio: pip install gradio, or '
    "pip install -e '.[page]'"
)
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
    """Gradio, which only the page needs.

    Raises:
        ImportError: It is not installed; the message says what to do.
    """
    try:
        import gradio
    except ImportError:
        raise ImportError(_MISSING) from None
    return gradio


def serve(page: Any, host: str, port: int) -> None:
    """Serves the page until it is interrupted.

    Nothing is fetched from elsewhere: no fonts, no scripts, no analytics.

    Args:
        page (gradio.Blocks): Of ``build_page``.
        host (str): Address to listen on; '127.0.0.1' is for this machine
            only.
        port (int): Its port.

    Raises:
        OSError: The port is taken.
    """
    gr = import_gradio()
    try:
        _, url, _ = page.launch(
            server_name=host,
            server_port=port,
            theme=gr.themes.Default(
                font=['system-ui', 'sans-serif'], font_mono=['monospace']
            ),
            css=_CSS,
            footer_links=[],
            run_history=False,
            ssr_mode=False,
            share=False,
            quiet=True,
            max_file_size='200mb',
            prevent_thread_lock=True,
        )
    except OSError:  # Gradio's speaks of its own variables
        raise OSError(
            f'{host}:{port}: the port is taken, or this machine has no such '
            'address; choose others with --port and --host'
        ) from None
    print(f'The page is at {url} (Ctrl-C ends it)', flush=True)
    page.block_thread()
