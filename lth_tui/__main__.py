"""The door, as `lth` and as `python -m lth_tui`: alone it opens the app, anything else is a command's (cli.py).

The app's first picture need not wait for the commands to be imported, which is a tenth of its time.
"""

import os
import sys


def at_a_terminal() -> bool:
    """Whether the app can be shown here."""
    return sys.stdin.isatty() and sys.stdout.isatty() and os.environ.get("TERM") != "dumb"


def main() -> None:
    if len(sys.argv) == 1 and at_a_terminal():
        import gc

        gc.disable()  # see `run_app`
        from engine.record import modes
        from lth_tui.app import run_app

        modes.guard()
        run_app()
    else:
        from lth_tui import cli

        cli.main()


if __name__ == "__main__":
    main()
