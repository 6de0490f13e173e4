"""A headless Chromium for the report's tests; they are skipped where there is none."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import pytest

from tests.report.chromium import started

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """One headless Chromium for all tests; skipped with a reason where chromium, its driver or Selenium is missing."""
    pytest.importorskip("selenium.webdriver", reason="Selenium is not installed: pip install 'trtlens[test]'")
    if shutil.which("chromium") is None or shutil.which("chromedriver") is None:
        pytest.skip("no chromium and chromedriver here: apt-get install chromium chromium-driver")
    running = started(tmp_path_factory.mktemp("chromium"))
    yield running
    running.quit()
