"""The app under test looks five times a second."""

import os
from pathlib import Path

import pytest

from lth_tui.app import LthApp


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LthApp, "TICK", 0.1)


@pytest.fixture
def runs() -> Path:
    return Path(os.environ["LTH_RUNS"])
