"""The page of questions: each is answered by one command, whose first lines hold the answer."""

from __future__ import annotations

import importlib.util

import pytest

from tests.conftest import FIXTURES

PAGE = FIXTURES.parent / "docs" / "questions.md"


@pytest.mark.usefixtures("fixtures_read_once")
def test_questions_page_is_up_to_date() -> None:
    """docs/questions.md shows what the commands print."""
    spec = importlib.util.spec_from_file_location("make_questions", PAGE.with_name("make_questions.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert PAGE.read_text("utf-8") == module.page(), "run python docs/make_questions.py"
