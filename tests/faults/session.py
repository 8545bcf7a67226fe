"""A login session: its leader starts four `lth run`, each a job of its own, and then the app, as one would in a shell.

`python -m tests.faults.session EPOCHS` on a terminal. Forked, so that what takes a second to import is imported once.
"""

import os
import sys
import time

from lth_tui import cli
from tests.cli.conftest import run_arguments


def forked(*arguments: str, job: bool) -> int:
    """`lth` with these arguments in a process of its own; a job has a process group of its own too."""
    if pid := os.fork():
        return pid
    if job:
        os.setpgid(0, 0)
    sys.argv = ["lth", *arguments]
    try:
        cli.main()
    finally:
        os._exit(0)


if __name__ == "__main__":
    import lth_tui.app  # noqa: F401  before the forks

    jobs = [forked(*run_arguments(f"training.epochs={sys.argv[1]}"), job=True) for _ in range(4)]
    app = forked(job=False)
    print("session", *jobs, app, flush=True)
    while True:
        time.sleep(600)
