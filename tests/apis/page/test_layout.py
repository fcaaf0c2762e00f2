"""The page without a browser."""

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
    with pytest.raises(ImportError) as caught:
        import_gradio()
    assert str(caught.value) == (
        'the page needs the package gradio: pip install gradio, or '
        "pip install -e '.[page]'"
    )
    with pytest.raises(ImportError):
        build_page(models)


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


def test_what_cannot_start_says_why(tmp_path, monkeypatch):
    pytest.importorskip('gradio')
    command = ['app.py', '--checkpoint', str(tmp_path / 'none')]
    monkeypatch.setattr(sys, 'argv', command)
    with pytest.raises(SystemExit) as caught:
        runpy.run_path(str(ROOT / 'tools/demo/app.py'), run_name='__main__')
    assert caught.value.code == f'{tmp_path}/none: no such checkpoint'


@pytest.mark.parametrize('port', ['99999', '0', '-1', 'http'])
def test_a_port_that_is_none(monkeypatch, capsys, port):
    command = ['app.py', '--zero-shot', 'openai', f'--port={port}']
    monkeypatch.setattr(sys, 'argv', command)
    with pytest.raises(SystemExit):
        runpy.run_path(str(ROOT / 'tools/demo/app.py'), run_name='__main__')
    said = capsys.readouterr().err
    assert said.endswith(f"argument --port: '{port}': expected 1 to 65535\n")


def test_a_port_that_is_taken(models):
    pytest.importorskip('gradio')
    with socket.create_server(('127.0.0.1', 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError) as caught:
            serve(build_page(models), '127.0.0.1', port)
    assert str(caught.value) == (
        f'127.0.0.1:{port}: the port is taken, or this machine has no such '
        'address; choose others with --port and --host'
    )
