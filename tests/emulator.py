"""What a terminal shows after what was written to it: as much of one as the app asks for."""

import codecs
import re

from rich.cells import cell_len

_TOKEN = re.compile(
    r"\x1b\[([0-9;:?<>=]*)[ -/]*([@-~])"  # a command and what it is given
    r"|\x1b[\]P_^].*?(?:\x07|\x1b\\)|\x1b[()].|\x1b[^\[\]P_^()]"  # nothing that is seen
    r"|[\r\n\b]|[^\x1b\r\n\b]+",
    re.DOTALL,
)
BLANK = (" ", "")


class Emulator:
    """Cells of a sign and the colours it was written with; a sign of two cells is followed by an empty one."""

    def __init__(self, columns: int, rows: int) -> None:
        self.columns, self.rows = columns, rows
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._torn = self._colours = ""
        self._x = self._y = 0
        self._clear()

    def _clear(self) -> None:
        self.cells = [[BLANK] * self.columns for _ in range(self.rows)]

    def feed(self, written: bytes) -> None:
        """Show this; a sequence that has not ended waits for its rest."""
        text, at = self._torn + self._decoder.decode(written), 0
        while match := _TOKEN.match(text, at):
            if match[2] is not None:
                self._obey(match[1], match[2])
            elif match[0] in "\r\n\b":
                self._x = self._x if match[0] == "\n" else 0 if match[0] == "\r" else max(self._x - 1, 0)
                self._y = min(self._y + (match[0] == "\n"), self.rows - 1)
            elif match[0][0] != "\x1b":
                self._put(match[0])
            at = match.end()
        self._torn = text[at:]

    def _obey(self, given: str, what: str) -> None:
        if what == "m":
            self._colours = "" if given in ("", "0") else given
        elif what in "Hf":
            y, x = ([int(part or 1) for part in given.split(";")] + [1])[:2] if given else (1, 1)
            self._x, self._y = min(x, self.columns) - 1, min(y, self.rows) - 1
        elif (what == "J" and given == "2") or (what == "h" and given == "?1049"):
            self._clear()

    def _put(self, text: str) -> None:
        for sign in text:
            width = cell_len(sign)
            line = self.cells[self._y]
            for place in range(self._x, min(self._x + width, self.columns)):
                line[place] = (sign if place == self._x else "", self._colours)
            self._x += width

    @property
    def text(self) -> str:
        return "\n".join("".join(sign for sign, _ in line) for line in self.cells)
