"""A headless Chromium, where there is one."""
import contextlib
import shutil

import pytest

NAMES = ('chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable')
ARGUMENTS = ('--no-sandbox', '--disable-gpu', '--disable-background-networking',
             '--disable-component-update', '--disable-sync', '--no-first-run')


@contextlib.contextmanager
def chromium():
    """The browser; the test is skipped where playwright or Chromium is missing."""
    api = pytest.importorskip('playwright.sync_api', reason='playwright is not installed')
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip('there is no Chromium here')
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=list(ARGUMENTS))
        try:
            yield browser
        finally:
            browser.close()
