"""A program on a terminal of its own, whose every byte is counted and timed."""

import os
import pty
import select
import signal
import struct
import termios
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from fcntl import ioctl

import psutil

from tests.bench.figures import ROOT
from tests.emulator import Emulator


class Terminal:
    """What a program wrote, and when, and what it looks like; and the keys it is sent."""

    def __init__(self, command: list[str], columns: int, rows: int, **environment: str) -> None:
        self.began = self._sent = time.perf_counter()
        self.pid, self._ours = pty.fork()
        if self.pid == 0:
            os.environ |= {"PYTHONPATH": str(ROOT), "TERM": "xterm-256color", "COLORTERM": "truecolor", **environment}
            for name in ("COLUMNS", "LINES", "NO_COLOR"):
                os.environ.pop(name, None)
            os.execv(command[0], command)
        ioctl(self._ours, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.process = psutil.Process(self.pid)
        self.parts: list[tuple[float, bytes]] = []
        self.screen, self._shown = Emulator(columns, rows), 0  # and how many parts it shows
        self._over = False
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        while not self._over:
            if select.select([self._ours], [], [], 0.05)[0]:
                try:
                    found = os.read(self._ours, 1 << 16)
                except OSError:
                    return
                self.parts.append((time.perf_counter(), found))

    def send(self, keys: str) -> float:
        """Type these; when that was."""
        self._sent = time.perf_counter()
        os.write(self._ours, keys.encode())
        return self._sent

    def since(self, moment: float) -> bytes:
        return b"".join(part for when, part in self.parts if when >= moment)

    def until(self, words: str | Callable[[str], bool], moment: float, seconds: float = 60.0) -> float:
        """Seconds from a moment until something is written behind which these words stand there, or all that stands
        there is as it should be. TimeoutError."""
        so = words if callable(words) else lambda text: words in text
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            for when, part in self.parts[self._shown :]:
                self._shown += 1
                self.screen.feed(part)
                if when >= moment and so(self.screen.text):
                    return when - moment
            time.sleep(0.002)
        raise TimeoutError(f"{words!r} did not come within {seconds:.0f} s; there stands\n{self.text}")

    @property
    def text(self) -> str:
        """What stands there now."""
        for _, part in self.parts[self._shown :]:
            self._shown += 1
            self.screen.feed(part)
        return self.screen.text

    def quiet(self, seconds: float = 1.5, most: float = 30.0) -> None:
        """Wait until no key was sent and nothing was written for so long."""
        end = time.perf_counter() + most
        while time.perf_counter() < end:
            last = max(self._sent, self.parts[-1][0] if self.parts else self.began)
            if time.perf_counter() - last > seconds:
                return
            time.sleep(0.05)

    def cpu(self) -> float:
        used = self.process.cpu_times()
        return used.user + used.system

    def memory(self) -> int:
        """Bytes that are the program's alone, or shared with what it was started by."""
        return self.process.memory_info().rss

    def close(self) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        self._over = True
        self._reader.join()
        os.close(self._ours)


@contextmanager
def on_terminal(command: list[str], columns: int = 120, rows: int = 40, **environment: str) -> Iterator[Terminal]:
    """The program, until the block ends."""
    terminal = Terminal(command, columns, rows, **environment)
    try:
        yield terminal
    finally:
        terminal.close()
