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


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Of a test of screens that has many forms (sizes, themes, keys) the first and the last; all by `make test-app`.

    The pictures of `test_look.py` are cheap and all compared always.
    """
    if os.environ.get("LTH_SCREENS") == "full":
        return
    here = str(Path(__file__).parent)
    forms: dict[str, list[pytest.Item]] = {}
    for item in items:
        if str(item.path).startswith(here) and item.path.name != "test_look.py":
            forms.setdefault(item.nodeid.partition("[")[0], []).append(item)
    left = {item for every in forms.values() for item in every[1:-1]}
    if left:
        config.hook.pytest_deselected(items=list(left))
        items[:] = [item for item in items if item not in left]
