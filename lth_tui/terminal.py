"""What the terminal can do, as far as its environment says, and what would make it better. For `lth doctor`."""

from collections.abc import Mapping

from engine.process.doctor.finding import Finding, ok, warning

_WIDTH, _HEIGHT = 80, 24


def findings(
    environment: Mapping[str, str], is_terminal: bool, size: tuple[int, int], encoding: str, tmux: str | None = None
) -> list[Finding]:
    """`size` in columns and lines, `encoding` of standard output, `tmux` what it says of its clipboard options."""
    if not is_terminal:
        return [ok("terminal", "this is none, so nothing is known of yours")]
    found = [*_kind(environment), *_size(size), *_signs(encoding), *_clipboard(environment, tmux)]
    far = ", over SSH" if environment.get("SSH_CONNECTION") or environment.get("SSH_TTY") else ""
    told = f"{environment.get('TERM', '')}, {size[0]}×{size[1]}, {_colours(environment)}{far}"
    return found or [ok("terminal", told)]


def _kind(environment: Mapping[str, str]) -> list[Finding]:
    kind = environment.get("TERM", "")
    if kind in ("", "dumb", "unknown"):
        told = f"TERM is {kind!r}, which can show no app" if kind else "TERM is not set, so no app can be shown"
        return [warning("terminal", told, "Set it to what your terminal is: export TERM=xterm-256color")]
    return []


def _size(size: tuple[int, int]) -> list[Finding]:
    if size[0] >= _WIDTH and size[1] >= _HEIGHT:
        return []
    told = f"{size[0]}×{size[1]} is less than the app needs to show everything"
    return [warning("terminal", told, f"Make it {_WIDTH}×{_HEIGHT} or larger.")]


def _signs(encoding: str) -> list[Finding]:
    if encoding.lower().replace("-", "").replace("_", "") == "utf8":
        return []
    told = f"its encoding is {encoding}, so charts and signs become question marks"
    return [warning("terminal", told, "Choose a UTF-8 locale: export LC_ALL=C.UTF-8")]


def _colours(environment: Mapping[str, str]) -> str:
    if environment.get("NO_COLOR"):
        return "no colours (NO_COLOR)"
    if environment.get("COLORTERM", "").lower() in ("truecolor", "24bit"):
        return "all colours"
    return "256 colours" if "256" in environment.get("TERM", "") else "16 colours"


def _clipboard(environment: Mapping[str, str], tmux: str | None) -> list[Finding]:
    """What is copied in the app goes to the terminal in an escape sequence (OSC 52), if nothing between stops it."""
    if environment.get("TMUX"):
        said = dict(line.split(" ", 1) for line in (tmux or "").splitlines() if " " in line)
        knows = "allow-passthrough" in said  # as 3.3 does, which has `load-buffer -w` too
        if knows and said.get("set-clipboard") in ("on", "external"):
            return []
        advice = "Use tmux 3.3 or newer, and in ~/.tmux.conf: set -g set-clipboard external"
        return [warning("clipboard", "tmux may keep what the app copies from your clipboard", advice)]
    if environment.get("STY"):
        told = "screen keeps what the app copies from your clipboard"
        return [warning("clipboard", told, "Use tmux instead, or copy with the mouse and Shift held.")]
    return []
