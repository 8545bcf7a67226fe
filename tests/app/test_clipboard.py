"""What is copied reaches the terminal one sits at, whatever lies between, and is shown."""

import base64
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from lth_tui import clipboard
from lth_tui.app import LthApp
from tests.app.story import sees

BARE = b"\x1b]52;c;bHRoIHJ1bg==\x07"


def test_a_plain_terminal_gets_the_bare_sequence() -> None:
    assert clipboard.sequence("lth run", {}).encode() == BARE


def test_tmux_gets_it_bare_and_wrapped_with_every_escape_doubled() -> None:
    got = clipboard.sequence("lth run", {"TMUX": "/tmp/tmux-0/default,1,0", "STY": "1.x"}).encode()
    assert got == BARE + b"\x1bPtmux;\x1b\x1b]52;c;bHRoIHJ1bg==\x07\x1b\\"


def test_screen_gets_short_strings_that_together_are_the_sequence() -> None:
    text = "lth run " + "--set training.epochs=1 " * 100
    strings = re.findall(r"\x1bP(.*?)\x1b\\", clipboard.sequence(text, {"STY": "1.x"}), re.DOTALL)
    assert max(map(len, strings)) <= 256
    assert "".join(strings) == f"\x1b]52;c;{base64.b64encode(text.encode()).decode()}\x07"


def test_what_no_terminal_takes_is_refused() -> None:
    with pytest.raises(ValueError, match="more than a terminal copies"):
        clipboard.sequence("x" * 80_000, {})


@pytest.mark.parametrize("inside", ["", "TMUX"])
async def test_the_app_writes_exactly_that_and_shows_the_text(runs: Path, monkeypatch, inside: str) -> None:
    monkeypatch.delenv("TMUX", raising=False)
    monkeypatch.delenv("STY", raising=False)
    if inside:
        monkeypatch.setenv(inside, "here")
    app = LthApp()
    async with app.run_test(notifications=True) as pilot:
        written: list[str] = []
        write = app._driver.write
        app._driver.write = lambda data: (written.append(data), write(data))[1]
        app.copy("lth show [/x] \x1b]0;a\x07")
        await sees(pilot, "Copied: lth show [/x] ␛]0;a")
        (copied,) = [data for data in written if "]52;" in data]
        assert copied == clipboard.sequence("lth show [/x] \x1b]0;a\x07", {inside: "here"} if inside else {})
        app.copy("x" * 80_000)
        await sees(pilot, "Not copied")


@pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")
async def test_in_a_tmux_as_it_comes_the_text_is_in_its_buffer(runs: Path, tmp_path: Path, monkeypatch) -> None:
    def tmux(*arguments: str) -> str:
        command = ["tmux", "-S", str(tmp_path / "socket"), "-f", "/dev/null", *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=20).stdout

    monkeypatch.delenv("TMUX", raising=False)
    tmux("new-session", "-d", "sleep 600")
    try:
        monkeypatch.setenv("TMUX", f"{tmp_path / 'socket'},1,0")
        app = LthApp()
        async with app.run_test(notifications=True) as pilot:
            app.copy("lth show 4f2a")
            await sees(pilot, "Copied: lth show 4f2a")
        assert tmux("show-buffer") == "lth show 4f2a"
    finally:
        tmux("kill-server")
