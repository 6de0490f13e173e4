"""Reports in a real browser: each is made and opened once for all tests, in a tab of its own."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tests.conftest import captured_log
from tests.golden.inputs import subject
from tests.report.large_runs import hostile_page, page_of_two
from trtlens.report import read_subject, render

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


MANY = [f"{release}{copy}" for copy in ("", " again", " once more") for release in ("8.0", "8.6", "10.16")][:7]
"""Names of runs, more than have buttons: those of three releases several times."""
_PATIENCE_S = 60
_WAIT = """
const [patience, done] = arguments, end = performance.now() + 1000 * patience;
const look = () => {
  try {
    if (CONDITION) done(null);
    else if (performance.now() > end) done("never true");
    else setTimeout(look, 20);
  } catch (error) { done(String(error)); }
};
look();
"""
_ESCAPE = "\ue00c"


class Page:
    """A page in the browser, with the few things that tests do to it."""

    def __init__(self, browser: Any, address: str) -> None:
        self.browser = browser
        browser.set_script_timeout(2 * _PATIENCE_S)
        browser.get_log("browser")
        self.resize(1600)
        browser.get(address)
        self.until("document.documentElement.dataset.loaded === 'yes'")

    def settle(self) -> None:
        """Nothing picked, the first run shown, the console read: what tests that take over a page start from."""
        self.resize(1600)
        self.browser.find_element("css selector", "body").send_keys(_ESCAPE)
        self.until("document.getElementById('panel').hidden")
        self.run("document.querySelector('.switch button[data-run=\"0\"]')?.click()")
        self.browser.get_log("browser")

    def run(self, script: str) -> Any:
        """What a script returns."""
        return self.browser.execute_script(f"return {script}")

    def until(self, condition: str) -> None:
        """Wait until a condition holds: the page itself looks, which costs less than to ask it again and again."""
        told = self.browser.execute_async_script(_WAIT.replace("CONDITION", condition), _PATIENCE_S)
        assert told is None, f"{told}: {condition}; {self.browser.get_log('browser')}"

    def resize(self, width: int) -> None:
        """Show the page in a window of that width."""
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        self.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)

    def fits(self, width: int) -> bool:
        """Whether nothing makes the page wider than a window of that width: a phone's, a desk's."""
        self.resize(width)
        self.until(f"innerWidth === {width} && document.documentElement.scrollWidth <= {width}")
        return True

    def show(self, selector: str) -> None:
        """Bring an element into sight and wait until it is filled."""
        self.run(f"document.querySelector('{selector}').scrollIntoView({{block: 'center'}})")
        self.until(
            f"(e => e.dataset.chart ? e.dataset.state : e.querySelector('.grid').children.length > 0)(document.querySelector('{selector}'))"
        )

    def draw_all(self) -> list[list[str]]:
        """Every chart that the run has data for brought into sight: its name, its state, and whether it shows anything."""
        for name in self.run("[...document.querySelectorAll('[data-chart]:not([hidden])')].map(e => e.dataset.chart)"):
            self.show(f"#chart-{name}")
        return self.run(
            "[...document.querySelectorAll('[data-chart]:not([hidden])')].map(e => [e.dataset.chart, e.dataset.state, e.querySelector('.plot').textContent])"
        )

    def absent(self, section: str) -> list[str]:
        """What a section says that the shown run does not hold."""
        return self.run(f"[...document.querySelectorAll('#{section} .absent p')].map(e => e.textContent)")

    def errors(self) -> list[Any]:
        """Entries of the console since the page was opened."""
        return [entry for entry in self.browser.get_log("browser") if entry["level"] in {"SEVERE", "WARNING"}]


def _many() -> str:
    return render([replace(subject(f"alignment/releases/{name.partition(' ')[0]}"), name=name) for name in MANY])


_PAGES: dict[str, Callable[[], str]] = {
    "two": page_of_two,
    "hostile": hostile_page,
    "traced": lambda: render([subject("h200/quantized-int8-traced")]),
    "untimed": lambda: render([read_subject(captured_log("fp16"))]),
    "many": _many,
    "region": lambda: render([subject("h200/transformer-fp16-traced"), subject("h200/refused")]),
}
"""Reports, each made when a test asks for it."""


class Pages:
    """The reports that tests have asked for: each is opened once and stands in its tab as the test before left it."""

    def __init__(self, browser: Any, folder: Path) -> None:
        self.browser = browser
        self.folder = folder
        self.opened: dict[str, tuple[Page, str]] = {}

    def __call__(self, name: str = "two") -> Page:
        """The page in front, with nothing picked and the first run shown."""
        if name not in self.opened:
            self.opened[name] = self._open(name)
        page, tab = self.opened[name]
        self.browser.switch_to.window(tab)
        page.settle()
        return page

    def _open(self, name: str) -> tuple[Page, str]:
        path = self.folder / f"{name}.html"
        path.write_text(_PAGES[name](), "utf-8")
        self.browser.switch_to.new_window("tab")
        self.browser.execute_cdp_cmd("Emulation.setFocusEmulationEnabled", {"enabled": True})
        return Page(self.browser, path.as_uri()), self.browser.current_window_handle
