"""Text to the clipboard of the terminal one sits at, through SSH, tmux and screen: the escape sequence OSC 52.

Inside tmux its own command is asked first, which needs no setting of it. Where that cannot be had: tmux takes a bare
sequence where its set-clipboard is on, and hands a wrapped one to the terminal outside where its allow-passthrough is;
nothing tells which, so both are sent. screen only hands on what is wrapped, in short strings.
"""

import base64
import subprocess
from collections.abc import Mapping

MOST = 74_994  # bytes; beyond 100,000 characters of base64 terminals take nothing
_OF_SCREEN = 240  # characters; screen drops control strings of more than 256


def sequence(text: str, environment: Mapping[str, str]) -> str:
    """What to write to the terminal to have it copy a text. ValueError for more than MOST bytes."""
    data = text.encode(errors="replace")
    if len(data) > MOST:
        raise ValueError(f"{len(data):,} bytes are more than a terminal copies ({MOST:,})")
    bare = f"\x1b]52;c;{base64.b64encode(data).decode()}\x07"
    if environment.get("TMUX"):
        return bare + "\x1bPtmux;" + bare.replace("\x1b", "\x1b\x1b") + "\x1b\\"
    if environment.get("STY"):
        parts = [bare[at : at + _OF_SCREEN] for at in range(0, len(bare), _OF_SCREEN)]
        return "".join(f"\x1bP{part}\x1b\\" for part in parts)
    return bare


def by_tmux(text: str) -> bool:
    """Have the tmux one is in keep a text, and hand it to the terminal outside; False where it does not (before 3.2).

    Waits for tmux, some milliseconds.
    """
    command, data = ["tmux", "load-buffer", "-w", "-"], text.encode(errors="replace")
    try:
        subprocess.run(command, check=True, input=data, capture_output=True, timeout=2)
    except (OSError, subprocess.SubprocessError):
        return False
    return True
