"""Headless Chromium for the tests of explorer.html, and the screenshot that the front page shows.

    python3 tests/browser/chromium.py viz/explorer.png

Needs selenium (requirements-browser.txt) and Debian's packages chromium and chromium-driver."""

import contextlib
import shutil
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
FRONT = dict(width=880, height=1010)  # of the screenshot: the columns stand below one another
# Chromium as root in a container, and without a network
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars",
         "--disable-background-networking", "--disable-component-update", "--disable-sync",
         "--force-color-profile=srgb")


def missing():
    """What a browser test needs and is not installed, in words; empty if everything is there."""
    lacking = [name for name in ("chromium", "chromedriver") if shutil.which(name) is None]
    try:
        import selenium  # noqa: F401
    except ImportError:
        lacking.append("selenium")
    return ", ".join(lacking)


@contextlib.contextmanager
def browser():
    """A WebDriver with a profile of its own, which keeps the console's messages."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    with tempfile.TemporaryDirectory() as profile:
        options = webdriver.ChromeOptions()
        options.binary_location = shutil.which("chromium")
        for flag in (*FLAGS, f"--user-data-dir={profile}"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
        try:
            yield driver
        finally:
            driver.quit()


def resize(driver, width, height):
    """The size of the page, in its own pixels, whatever the window."""
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", dict(
        width=width, height=height, deviceScaleFactor=1, mobile=width < 600))


def open_page(driver, address="", page=None):
    """Loads the page anew by file://, with an address behind the #, and waits until its data are unpacked; page:
    another file than the committed one."""
    driver.get("about:blank")
    driver.get(f"{(page or ROOT / 'explorer.html').resolve().as_uri()}#{address}")
    waited_for(driver, "return Page.data() !== null", "the page does not unpack its data")


def waited_for(driver, script, complaint):
    """Waits until a script returns true. Raises TimeoutError with the complaint after 15 seconds."""
    for _ in range(300):
        if driver.execute_script(script):
            return
        time.sleep(0.05)
    raise TimeoutError(complaint)


def settled(driver):
    """Waits until the net's score on fresh sequences stands there."""
    script = "return !(document.querySelector('.score')?.textContent || '… right').includes('… right')"
    waited_for(driver, script, "the page does not come to rest")


def screenshot(driver, page=None):
    """The page's first view as the front page shows it: the bytes of a PNG file."""
    resize(driver, **FRONT)
    open_page(driver, "theme=light", page)
    settled(driver)
    return driver.get_screenshot_as_png()


def main(path):
    with browser() as driver:
        Path(path).write_bytes(screenshot(driver))
    print(path)


if __name__ == "__main__":
    main(sys.argv[1])
