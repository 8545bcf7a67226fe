"""The app's inbox: news told once as they come, marked as read and unread again, and written in the background."""

import threading
from collections import Counter, deque
from collections.abc import Sequence
from typing import TYPE_CHECKING

from engine.errors import BadInput
from engine.record import history, notes
from lth_tui import plain
from lth_tui.news import Inbox, News
from lth_tui.screens import words
from lth_tui.widgets.topbar import TopBar

if TYPE_CHECKING:
    from lth_tui.app import LthApp

_ASKED = ("stopped", "orphaned")  # how a run ends that was stopped, at once if need be
LENGTH = 80  # characters of what a notice tells of an end
SINGLY = 2  # so many ends at once are told one by one, more of them in one notice


class Mail:
    """What is unread, and what was told of it."""

    def __init__(self, app: "LthApp") -> None:
        self.app = app
        self.inbox = Inbox(app.runs)
        self.news: list[News] | None = None  # None until they are known
        self.asked: set[str] = set()  # runs that were stopped from here: their end is no news
        self._told: set[tuple[str, float]] = set()
        self._done: list[list[tuple[News, float | None]]] = []  # what was read, each with its mark before
        self._due: deque[tuple[str, float | None]] = deque()  # marks to be written, in order
        self._writing = threading.Lock()

    def look(self, summaries: list[history.Summary]) -> list[News]:
        """The news in these summaries; in a thread."""
        return self.inbox.look(summaries)

    def take(self, news: list[News]) -> None:
        """Show the news as they are now, and tell those that came since. What somebody looks at is read by that."""
        paths = (getattr(screen, "run_path", None) for screen in self.app.screen_stack)
        open_ = {path.name for path in paths if path is not None}
        looked_at = [one for one in news if one.run in open_ or (one.state in _ASKED and one.run in self.asked)]
        self._mark([(one.run, one.when) for one in looked_at])
        self.asked -= {one.run for one in looked_at}
        news = [one for one in news if one not in looked_at]
        fresh = [one for one in news if (one.run, one.when) not in self._told]
        if fresh and self.news is not None and not self._in_front:
            self._tell(fresh)
        self._told |= {(one.run, one.when) for one in (*fresh, *looked_at)}  # whose marks are perhaps yet to be written
        self.news = news
        self._show()

    @property
    def _in_front(self) -> bool:
        return self.app.current_mode == "inbox" and len(self.app.screen_stack) == 1

    def _show(self) -> None:
        screen, news = self.app.screen, self.news or []
        for bar in screen.query(TopBar):
            bar.unread = len(news)
        if self._in_front:
            screen.take(news)  # type: ignore[attr-defined]

    def _tell(self, fresh: Sequence[News]) -> None:
        from lth_tui.screens.inbox import said

        if len(fresh) <= SINGLY:
            for one in fresh:
                severity = {"failed": "error", "orphaned": "warning"}.get(one.state, "information")
                name = one.summary["name"] or one.run
                told = plain.line(said(one), LENGTH)  # the inbox has the rest; a notice hides what one looks at
                self.app.say(" · ".join(filter(None, (f"{words.state(one.state)[0]}  {name}", told))), severity)
            return
        counted = Counter(one.state for one in fresh)
        listed = ", ".join(f"{number} {state}" for state, number in counted.most_common())
        worst = "error" if "failed" in counted else "warning" if "orphaned" in counted else "information"
        self.app.say(f"{len(fresh)} runs ended: {listed}. {self.app.key('app.go.inbox')} opens the inbox.", worst)

    # Reading

    def read(self, read: Sequence[News]) -> None:
        """Mark these as read; `unread` takes that back."""
        self._done.append([(one, self.inbox.mark(one.run)) for one in read])
        self.news = [one for one in self.news or [] if one not in read]
        self._mark([(one.run, one.when) for one in read])
        self._show()

    def unread(self) -> None:
        """Make what was read last unread again."""
        if not self._done:
            self.app.say("Nothing was read here.")
            return
        batch = self._done.pop()
        back = [one for one, _ in batch if one not in (self.news or [])]
        self.news = sorted([*(self.news or []), *back], key=lambda one: (-one.when, one.run))
        self._mark([(one.run, mark) for one, mark in batch])
        self._show()

    def _mark(self, marks: Sequence[tuple[str, float | None]]) -> None:
        if not marks:
            return
        for run, mark in marks:
            self.inbox.expect(run, mark)
        self._due.extend(marks)
        self.app.run_worker(self._write, thread=True, group="inbox", exit_on_error=False)

    def _write(self) -> None:
        trouble = ""
        with self._writing:
            while self._due:
                run, mark = self._due.popleft()
                if (self.app.runs / run).is_dir():
                    try:
                        notes.write(self.app.runs / run, read=mark)
                    except BadInput as error:
                        trouble = f"{error} Read only until the app is closed."
        if trouble and self.app.is_running:
            self.app.call_from_thread(self.app.say, trouble, "warning")
