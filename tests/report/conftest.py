"""A headless Chromium for the report's tests; they are skipped where there is none."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import pytest

from tests.report.chromium import started
from tests.report.pages import Pages

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """One headless Chromium for all tests; skipped with a reason where chromium, its driver or Selenium is missing."""
    pytest.importorskip("selenium.webdriver", reason="Selenium is not installed: pip install 'trtlens[test]'")
    if shutil.which("chromium") is None or shutil.which("chromedriver") is None:
        pytest.skip("no chromium and chromedriver here: apt-get install chromium chromium-driver")
    running = started(tmp_path_factory.mktemp("chromium"))
    yield running
    running.quit()


@pytest.fixture
def browser(chromium: Any) -> Any:
    """The Chromium at its first tab, for a page that a test opens itself."""
    chromium.switch_to.window(chromium.window_handles[0])
    return chromium


@pytest.fixture(scope="session")
def pages(chromium: Any, tmp_path_factory: pytest.TempPathFactory) -> Pages:
    """Gives reports by name: the one of two captured runs, others where one is named."""
    return Pages(chromium, tmp_path_factory.mktemp("reports"))
