"""Opens pages as people do, in a real browser, and watches what they ask for."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
WIDE, NARROW = 1280, 400
# Rules of which a breach keeps people out.
SEVERE = ("serious", "critical")


def browser_path() -> str:
    """Find PIDGIN_TEST_BROWSER or a Chromium on the path, or skip the test."""
    found = os.environ.get("PIDGIN_TEST_BROWSER") or next(
        filter(None, map(shutil.which, NAMES)), None
    )
    if not found:
        missing = "no Chromium is installed, and PIDGIN_TEST_BROWSER names none"
        if os.environ.get("PIDGIN_TEST_EVERYTHING"):
            pytest.fail(missing)
        pytest.skip(missing)
    return found


@contextmanager
def opened_page(
    path: Path,
    fragment: str = "",
    *,
    scheme: Literal["light", "dark"] = "light",
    width: int = WIDE,
    height: int = 900,
) -> Iterator[Page]:
    """Open a file in a browser of its own.

    Afterwards it must have written no error to the console, thrown none, opened no
    dialog, and asked nothing of a network.
    """
    complaints: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=browser_path(), args=["--no-sandbox"]
        )
        try:
            page = browser.new_page(
                color_scheme=scheme, viewport={"width": width, "height": height}
            )
            page.on(
                "console",
                lambda message: (
                    complaints.append(f"console: {message.text}")
                    if message.type in ("error", "warning")
                    else None
                ),
            )
            page.on("pageerror", lambda error: complaints.append(f"thrown: {error}"))

            def dismiss(dialog: Any) -> None:
                complaints.append(f"dialog: {dialog.message}")
                dialog.dismiss()

            page.on("dialog", dismiss)
            page.on(
                "request",
                lambda request: (
                    None
                    if request.url.startswith(("file:", "data:", "blob:", "about:"))
                    else complaints.append(f"request: {request.url}")
                ),
            )
            page.goto(path.resolve().as_uri() + fragment)
            yield page
        finally:
            browser.close()
    assert complaints == []


def severe_violations(page: Page) -> list[str]:
    """Return what axe-core finds that keeps people out, one line for each place."""
    # Style sheets are not read again: a page that is a file may not ask for them.
    found = Axe().run(page, options={"preload": False}).response["violations"]
    return [
        f"{rule['id']}: {node['html'][:200]}"
        for rule in found
        if rule["impact"] in SEVERE
        for node in rule["nodes"]
    ]


def is_wider_than_window(page: Page) -> bool:
    """Tell whether the page has to be moved sideways."""
    root = "document.documentElement"
    return bool(page.evaluate(f"{root}.scrollWidth > {root}.clientWidth"))
