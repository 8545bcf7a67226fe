"""How many trials of each fault: all of them with LTH_FAULTS=full (`make test-faults`), else a short form."""

import os


def trials(full: int, short: int) -> int:
    return full if os.environ.get("LTH_FAULTS") == "full" else short
