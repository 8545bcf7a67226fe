"""The end of a run's engine.log, read on as it grows."""

import codecs
from pathlib import Path

from engine.process import logfile
from lth_tui import plain
from lth_tui.widgets.page import Line

TAIL = 64 * 1024  # bytes shown of what was written before
_ONCE = 1 << 20  # bytes read at one look
_WIDEST = 2_000  # characters of a line


class Tail:
    """Reads what is new in a run's log, from its last 64 KB on, also once it has been moved away for a fresh one."""

    def __init__(self, run: Path) -> None:
        self._reader = logfile.Reader(run, last=TAIL)
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._torn = ""
        self._troubled = False

    def read(self) -> tuple[list[Line], Line | None]:
        """Lines that were not read before, and the one that has not ended. Never raises on what the file is."""
        text = self._torn
        try:
            for _ in range(0, _ONCE, TAIL):
                if not (data := self._reader.read(TAIL)):
                    break
                text += self._decoder.decode(data)
        except ValueError:  # closed: the screen is being left
            return [], None
        except OSError as error:
            told, self._troubled = self._troubled, True
            return ([] if told else [[(f"engine.log cannot be read ({error.strerror or error})", "bad")]]), None
        *whole, torn = text.split("\n")
        self._torn = torn[-TAIL:]
        return [_line(one) for one in whole], _line(self._torn) if self._torn else None

    def close(self) -> None:
        self._reader.close()


def _line(text: str) -> Line:
    """One line; of a bar that overwrites itself its last state."""
    shown = text.rstrip("\r").rpartition("\r")[2]
    return [(plain.line(shown, _WIDEST).replace("\t", "    "), "")]
