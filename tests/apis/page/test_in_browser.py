"""The page in a browser, served by its command, without a network."""

import os
import selectors
import signal
import socket
import subprocess
import sys
import time

import pytest
from drawn_emoset import draw_class_folders
from PIL import Image

from tests.apis.page.browser import open_browser, requested_hosts, wait
from tests.helpers import ROOT

pytestmark = pytest.mark.slow


def free_port():
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


@pytest.fixture
def url(work_dirs, tmp_path):
    """The address of the page, served by the tool itself."""
    pytest.importorskip('gradio')
    checkpoint, pretrained = work_dirs
    process = subprocess.Popen(
        [
            sys.executable, 'tools/demo/app.py', '--checkpoint', checkpoint,
            '--pretrained', pretrained, '--port', str(free_port()),
            '--device', 'cpu',
        ],
        cwd=ROOT,
        env={**os.environ, 'GRADIO_TEMP_DIR': str(tmp_path / 'uploads')},
        stdout=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    try:
        yield read_address(process)
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(20)
        finally:
            process.kill()
            process.stdout.close()


def read_address(process):
    end = time.monotonic() + 120
    with selectors.DefaultSelector() as ready:
        ready.register(process.stdout, selectors.EVENT_READ)
        while ready.select(max(0, end - time.monotonic())):
            line = process.stdout.readline()
            if line.startswith('The page is at '):
                return line.split()[4]
            assert line, f'the page ended with {process.wait()}'
    raise AssertionError('the page did not start')


class Page:
    """Actions of a user on the page, and what the page then shows."""

    def __init__(self, browser):
        self.browser = browser

    def all(self, selector):
        return self.browser.find_elements('css selector', selector)

    def text(self, selector):
        return self.all(selector)[0].text

    def upload(self, path):
        for clear in self.all('#upload button[aria-label="Clear"]'):
            clear.click()
        field = wait(lambda: self.all('#upload input[type=file]'), 'upload')
        field[0].send_keys(str(path))

    def width(self, name):
        """Width of a picture in its own pixels, 0 until it is loaded."""
        return int(self.all(f'#{name} img')[0].get_property('naturalWidth'))

    def bars(self):
        return {
            bar.get_attribute('aria-label'): float(bar.get_attribute('value'))
            for bar in self.all('#emotions meter')
        }

    def hide(self, percent):
        field = self.all('#ratio input[type=number]')[0]
        field.send_keys('\ue009a')  # Ctrl-A
        field.send_keys(f'{percent}\n')


def test_from_an_upload_to_its_emotion(url, models, tmp_path):
    folder = draw_class_folders(tmp_path / 'drawn', per_class=1)
    picture = folder / 'awe/00000.jpg'
    note = tmp_path / 'notes.txt'
    note.write_text('dear diary')
    browser = open_browser(tmp_path / 'profile')
    try:
        page = Page(browser)
        browser.get(url)
        wait(lambda: page.all('#upload input[type=file]'), 'the page')
        assert browser.title == 'The emotions of an image'
        assert 'fi/epoch_3.pth' in page.text('body')
        assert 'Reconstruction by pre/epoch_1.pth.' in page.text('body')

        page.upload(picture)
        expected = models.infer(picture)[0]
        best = expected['pred_class']
        wait(lambda: page.text('#emotions h2') == best, 'the emotion')
        assert page.bars() == pytest.approx(expected['scores'], abs=1e-5)
        with Image.open(picture) as image:
            shown = dict(people=image.width * -(-384 // max(image.size)))
        shown |= dict.fromkeys(
            ('cam', 'masked', 'reconstruction', 'pasted'), 384
        )
        for name, width in shown.items():
            wait(lambda: page.width(name), name)  # noqa: B023
            assert (name, page.width(name)) == (name, width)
        title = '#reconstruction-title'
        assert '12 of 16 patches masked (75.0%)' in page.text(title)

        page.hide(50)
        wait(lambda: '8 of 16 patches' in page.text(title), 'half of it')
        assert page.width('pasted') == 384
        captions = [
            page.text(f'#{name}-caption')
            for name in ('masked', 'reconstruction', 'pasted')
        ]
        assert captions[:2] == ['masked image', 'reconstruction']
        assert 'masked patches only' in captions[2]

        page.hide(150)  # more than there is, and all but one are hidden
        wait(lambda: '15 of 16 patches' in page.text(title), 'nearly all')
        page.hide(-3)
        wait(lambda: '1 of 16 patches' in page.text(title), 'one')
        assert not page.all('.toast-body')
        page.hide(50)
        wait(lambda: '8 of 16 patches' in page.text(title), 'half again')

        page.upload(note)
        wait(lambda: page.text('#problem'), 'the problem')
        assert page.text('#problem').startswith('notes.txt: ')
        wait(lambda: not page.all('#emotions'), 'no box of emotions')
        assert not page.all('#people img')
        assert not page.all('#reconstruction img')

        other = folder / 'fear/00000.jpg'
        page.upload(other)
        expected = models.infer(other)[0]
        best = expected['pred_class']
        wait(lambda: page.text('#emotions h2') == best, 'the other emotion')
        assert page.bars() == pytest.approx(expected['scores'], abs=1e-5)
        wait(
            lambda: '8 of 16 patches' in page.text(title), 'its reconstruction'
        )
        assert not page.all('#problem')

        browser.execute_cdp_cmd(
            'Emulation.setDeviceMetricsOverride',
            dict(width=400, height=900, deviceScaleFactor=1, mobile=True),
        )
        width = 'return document.documentElement.scrollWidth'
        wait(lambda: browser.execute_script(width) == 400, 'a narrow page')

        assert requested_hosts(browser) == {'127.0.0.1'}
        errors = [
            entry['message']
            for entry in browser.get_log('browser')
            if entry['level'] == 'SEVERE'
        ]
        assert errors == []
    finally:
        browser.quit()
