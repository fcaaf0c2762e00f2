"""The page and its command, without a browser."""

import runpy
import socket
import sys

import pytest
from PIL import Image

from tests.helpers import ROOT
from uniemox_mm.apis.page import (
    build_page,
    choose_examples,
    import_gradio,
    serve,
)


def test_without_gradio(models, monkeypatch):
    monkeypatch.setitem(sys.modules, 'gradio', None)
    for needs_gradio in (import_gradio, lambda: build_page(models)):
        with pytest.raises(ImportError, match='pip install gradio'):
            needs_gradio()


def test_nothing_is_reported_to_anybody(models):
    pytest.importorskip('gradio')
    assert build_page(models).analytics_enabled is False


def test_examples_are_spread(drawn, tmp_path):
    found = choose_examples(drawn / 'image')
    assert [path.parent.name for path in found] == [
        'amusement', 'anger', 'awe', 'contentment',
        'disgust', 'excitement', 'fear', 'sadness',
    ]  # fmt: skip
    assert all(path.is_file() for path in found)
    Image.new('RGB', (20, 20)).save(tmp_path / 'a.png')
    assert choose_examples(tmp_path) == [tmp_path / 'a.png']
    with pytest.raises(FileNotFoundError, match='no such folder or file'):
        choose_examples(tmp_path / 'none')


def run_app(monkeypatch, *options):
    """Run the command until it exits, and return its exit code or message."""
    monkeypatch.setattr(sys, 'argv', ['app.py', *options])
    with pytest.raises(SystemExit) as caught:
        runpy.run_path(str(ROOT / 'tools/demo/app.py'), run_name='__main__')
    return caught.value.code


def test_missing_checkpoint_is_named(tmp_path, monkeypatch):
    pytest.importorskip('gradio')
    path = str(tmp_path / 'none')
    message = run_app(monkeypatch, '--checkpoint', path)
    assert message.startswith(f'{path}: no such checkpoint')


@pytest.mark.parametrize('port', ['99999', '0', '-1', 'http'])
def test_invalid_port(monkeypatch, capsys, port):
    assert run_app(monkeypatch, '--zero-shot=openai', f'--port={port}') == 2
    message = capsys.readouterr().err
    assert f"--port: '{port}': expected 1 to 65535" in message


def test_taken_port_is_named(models):
    pytest.importorskip('gradio')
    with socket.create_server(('127.0.0.1', 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=f'127.0.0.1:{port}: .*--port'):
            serve(build_page(models), '127.0.0.1', port)
