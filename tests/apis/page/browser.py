"""A headless Chromium and its network requests."""

import json
import shutil
import time
from urllib.parse import urlsplit

import pytest

FLAGS = (
    '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic',
    '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync',
)  # fmt: skip
SECONDS = 60


def open_browser(profile):
    """Open Chromium with a new profile, or skip the test."""
    webdriver = pytest.importorskip('selenium.webdriver')
    chromium, driver = map(shutil.which, ('chromium', 'chromedriver'))
    if not chromium or not driver:
        pytest.skip(
            'no browser: chromium and chromedriver are not installed '
            '(Debian: apt-get install chromium chromium-driver)'
        )
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (*FLAGS, f'--user-data-dir={profile}'):
        options.add_argument(flag)
    options.set_capability(
        'goog:loggingPrefs', dict(performance='ALL', browser='ALL')
    )
    service = webdriver.ChromeService(driver)
    return webdriver.Chrome(options, service)


def requested_hosts(browser):
    """Return the hosts of all network requests."""
    hosts = set()
    for entry in browser.get_log('performance'):
        message = json.loads(entry['message'])['message']
        if message['method'] == 'Network.requestWillBeSent':
            url = urlsplit(message['params']['request']['url'])
            if url.scheme in ('http', 'https', 'ws', 'wss'):
                hosts.add(url.hostname)
    return hosts


def wait(condition, what):
    """Wait until a condition holds, while elements may come and go."""
    from selenium.common.exceptions import WebDriverException

    end = time.monotonic() + SECONDS
    problem = None
    while time.monotonic() < end:
        try:
            if found := condition():
                return found
        except (WebDriverException, IndexError) as error:
            problem = error
        time.sleep(0.1)
    raise AssertionError(f'{what}: not there after {SECONDS} s ({problem})')
