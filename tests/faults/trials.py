"""How often each fault is tried: a few times in `make test`, as often as was promised in `make test-faults`."""

import os
from collections.abc import Callable

import pytest

FULL = os.environ.get("LTH_FAULTS") == "full"


def trials(full: int, short: int) -> int:
    """How many trials of a kind are made."""
    return full if FULL else short


def figures(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """What takes a line of figures, printed under `faults` when all tests are through: "300 kills: 0 unreadable"."""
    return lambda line: request.node.user_properties.append(("faults", line))
