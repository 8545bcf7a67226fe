"""The app under test looks ten times a second, and no test passes over an error in its background."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from lth_tui.app import LthApp


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LthApp, "TICK", 0.1)


@pytest.fixture
def troubles(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What went wrong in the background."""
    told: list[str] = []
    say = LthApp.say

    def overheard(app: LthApp, text: str, severity: str = "information") -> None:
        if text.startswith("something went wrong"):
            told.append(text)
        say(app, text, severity)

    monkeypatch.setattr(LthApp, "say", overheard)
    return told


@pytest.fixture(autouse=True)
def _nothing_goes_wrong(request: pytest.FixtureRequest, troubles: list[str]) -> Iterator[None]:
    yield
    assert troubles == [] or "troubles" in request.function.__code__.co_varnames


@pytest.fixture
def runs() -> Path:
    return Path(os.environ["LTH_RUNS"])
