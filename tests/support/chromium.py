"""The Chromium of the system under Playwright, and what every test of a page asks of it.

Its shell without windows: the whole browser has bars and menus, which start processes of their own for each
context and took a third of the processor time.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, BrowserContext, Page, async_playwright

_PROGRAM = "/usr/bin/chromium-headless-shell"
_FLAGS = (
    "--headless",
    "--no-sandbox",  # tests may run as root, and visit nothing but the service under test
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_FOR_READING = (
    "--disable-threaded-compositing",  # a quarter off loading pages; pictures, clicks and keys do not work
    "--js-flags=--no-opt",  # no page lives long enough to repay the optimizing compiler
)
DESKTOP = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 844}
_AXE = Path(__file__).resolve().parents[2] / "approval" / "tests" / "browser" / "vendored" / "axe.min.js"
ALL_RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
"""axe's tags of WCAG 2.2 AA and of its best practices."""
RULES_OF_COLOUR = ("color-contrast", "link-in-text-block", "target-size", "th-has-data-cells")
"""axe's rules among these that read colours: of text, of what covers a target, of the stripes of a table.

All others read elements, attributes, where each element is and whether it is visible: see `boxes`.
"""


@asynccontextmanager
async def launched(*, draws_frames: bool = True) -> AsyncIterator[Browser]:
    """Run a browser for the time of the block; one that draws no frames is only for reading pages."""
    flags = _FLAGS if draws_frames else _FLAGS + _FOR_READING
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=_PROGRAM, args=list(flags))
        try:
            yield browser
        finally:
            await browser.close()


class Watched:
    """A context whose pages may not complain: no error of a script, nothing that the policy refused."""

    def __init__(self, context: BrowserContext) -> None:
        self.context = context
        self.complaints: list[str] = []
        context.on("console", self._console)
        context.on("weberror", lambda error: self.complaints.append(f"script: {error.error}"))
        context.on("dialog", self._dialog)
        self.answers_dialogs = False

    def forget_failed_requests(self) -> None:
        """Ignore what browser and htmx report about a service that a test stopped."""
        known = ("net::ERR_", "Failed to load resource", "htmx:sse:error", "Failed to fetch", "network error")
        self.complaints = [
            complaint for complaint in self.complaints if not any(word in complaint for word in known)
        ]

    def _console(self, message: Any) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(f"{message.type}: {message.text}")

    async def _dialog(self, dialog: Any) -> None:
        # A page of ours asks by confirm(), and only where the test expects that.
        if not self.answers_dialogs:
            self.complaints.append(f"dialog: {dialog.message}")
        await dialog.accept()


async def open_context(
    browser: Browser,
    base_url: str,
    *,
    scheme: str = "light",
    size: dict[str, int] = DESKTOP,
    javascript: bool = True,
    locale: str = "en-GB",
) -> Watched:
    context = await browser.new_context(
        base_url=base_url,
        color_scheme=scheme,  # type: ignore[arg-type]  # light or dark
        viewport=size,  # type: ignore[arg-type]  # width and height
        timezone_id="America/New_York",
        locale=locale,
        java_script_enabled=javascript,
        reduced_motion="reduce",
    )
    context.set_default_timeout(20_000)
    return Watched(context)


async def violations(page: Page, rules: Sequence[str] = ALL_RULES) -> list[str]:
    """Return what axe finds on a page by rules, which are tags or names."""
    if not await page.evaluate("'axe' in window"):
        # Beside the page's own policy, as browsers' extensions do.
        await page.evaluate(_AXE.read_text(encoding="utf-8"))
    # What it says of all other rules would take longer to hand over than to find.
    found = await page.evaluate(
        "async rules => (await axe.run({runOnly: rules, resultTypes: ['violations']})).violations"
        ".map(({id, help, nodes}) => [id, help, nodes.slice(0, 3).map(node => node.target)])",
        list(rules),
    )
    return [f"{rule}: {help_text} at {places}" for rule, help_text, places in found]


async def scrolls_sideways(page: Page, elements: str) -> bool:
    """Return whether one of the elements, given by a selector, is wider inside than outside."""
    wider = "found => found.some(one => one.scrollWidth > one.clientWidth)"
    return bool(await page.locator(elements).evaluate_all(wider))


async def boxes(page: Page) -> str:
    """Return where each element of a page is and whether it is visible, in order."""
    return str(
        await page.evaluate(
            "[...document.querySelectorAll('*')].map(one => { const box = one.getBoundingClientRect();"
            " return [one.tagName, box.x, box.y, box.width, box.height,"
            " one.checkVisibility({opacityProperty: true, visibilityProperty: true})].join(' ') })"
            ".join('\\n')"
        )
    )
