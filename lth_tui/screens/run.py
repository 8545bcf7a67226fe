"""One run: the verdict in words, its rounds as they come in, and beside them a pane of one's choice."""

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container
from textual.message import Message
from textual.screen import Screen

from engine.record import summary
from lth_tui.keys import KEYS, bindings
from lth_tui.screens import acting, batch, follow, headline, words
from lth_tui.screens.pane import NAMES, READ, Pane
from lth_tui.screens.panes import rounds, settings
from lth_tui.widgets.keybar import KeyBar
from lth_tui.widgets.page import Page
from lth_tui.widgets.table import Table
from lth_tui.widgets.tabs import Tabs
from lth_tui.widgets.topbar import TopBar

if TYPE_CHECKING:
    from lth_tui.app import LthApp

PANES = ("rounds", *NAMES)
WIDE, TALL = 110, 34  # from here on the rounds stand beside the pane, or above it
WIDER = 160  # and beside one of long lines
_TITLES = {key.name: key.title for key in KEYS["run"].keys}


class RunScreen(Screen[None]):
    """Follows one run directory, from its first second to long after its last."""

    HELP_TITLE = KEYS["run"].title
    CSS_PATH = "run.tcss"
    BINDINGS: ClassVar[list[BindingType]] = bindings("run")
    AUTO_FOCUS = "#rounds"

    app: "LthApp"

    class Seen(Message):
        """The run has changed."""

        def __init__(self, look: follow.Look) -> None:
            super().__init__()
            self.look = look

    def __init__(self, run: Path) -> None:
        super().__init__()
        self.run_path = run
        self.follower = follow.Follower(run)
        self.look: follow.Look | None = None
        self.metric = "accuracy"
        self._wanted: str | None = None  # the pane that was asked for
        self._looking = False
        self._now: int | None = None  # the round that was trained at the last look
        self._went = False  # to the round that is looked at first

    def compose(self) -> ComposeResult:
        yield TopBar("runs", self.run_path.name)
        yield Page(id="head")
        yield Tabs([(name, self.app.key(f"run.{name}"), _TITLES[name]) for name in PANES], id="tabs")
        with Container(id="body"):
            yield Table(rounds.columns([]), key=lambda row: str(row.number), cells=lambda row: row.cells, id="rounds")
            yield Pane(self.run_path)
        yield KeyBar(typing=(("enter", "Search"),))

    def on_mount(self) -> None:
        self.query_one("#head", Page).can_focus = False
        self.set_interval(0.25 if getattr(self.app, "fast", False) else self.app.TICK, self._tick)
        self._tick()

    # Reading, in a thread

    def _tick(self) -> None:
        if not self._looking and (self.is_current or self.look is None):
            self._looking = True
            panes, name = self.panes, self.pane
            self.app.run_worker(lambda: self._read(panes, name), thread=True, group="follow", exit_on_error=False)

    def _read(self, panes: Pane, name: str) -> None:
        try:
            if (look := self.follower.look()) is not None:
                self.post_message(self.Seen(look))
            panes.read(name)
        finally:
            self._looking = False

    def on_run_screen_seen(self, message: Seen) -> None:
        self.look = message.look
        self._show()
        self._go_along()

    # Showing: only what is on the screen, and of that what changed

    @property
    def pane(self) -> str:
        """The pane that is shown: the one that was asked for, or what there is to see beside the rounds."""
        if self._wanted is not None:
            return self._wanted
        if self.size.width < WIDE and self.size.height < TALL:
            return "rounds"
        pruned = self.look is not None and any("dense" not in one["arms"] for one in self.look.view["rounds"])
        return "chart" if pruned else "learning"

    @property
    def _layout(self) -> str:
        """How rounds and pane stand: `beside`, `below`, or the pane `alone`."""
        pane = self.pane
        if pane == "rounds":
            return "alone"
        if self.size.width >= (WIDER if pane in READ else WIDE):
            return "beside"
        return "below" if self.size.height >= TALL else "alone"

    @property
    def panes(self) -> Pane:
        return self.query_one(Pane)

    @property
    def round(self) -> int | None:
        """The round under the cursor."""
        item = self.query_one("#rounds", Table).item
        return None if item is None else item.number

    def _show(self) -> None:
        if self.look is None or not self.is_mounted or not self.query("#pane > *"):  # the last: the app is leaving
            return
        self._show_head(self.look)
        self._arrange()
        self._show_rounds(self.look)  # behind another pane it is not drawn, and still knows where the cursor is
        self.panes.show(self.look, self.round, self.metric)

    def _show_head(self, look: follow.Look) -> None:
        note = "" if self.metric == "accuracy" else f"table shows test {self.metric}"
        lines = headline.lines(look, max(self.size.width - 2, 10), self.app.key, self.size.height >= TALL, note)
        head = self.query_one("#head", Page)
        most = self.size.height // 2 if self.size.height >= 20 else 2
        if len(lines) != head.virtual_size.height or head.size.height != min(len(lines), most):
            head.styles.height = min(len(lines), most)
        head.show(lines)

    def _show_rounds(self, look: follow.Look) -> None:
        table = self.query_one("#rounds", Table)
        table.set_columns(rounds.columns(summary.arms_of(look.view["spec"]), self.metric))
        table.show(rounds.rows(look, self.metric))

    def on_resize(self, _: events.Resize) -> None:
        self.call_after_refresh(self._show)

    def _arrange(self) -> None:
        """Rounds and pane side by side, one above the other, or the one that is wanted, as there is room."""
        pane, layout = self.pane, self._layout
        self.set_class(layout == "beside", "-beside")
        self.set_class(layout == "below", "-below")
        self.query_one("#rounds").display = pane == "rounds" or layout != "alone"
        self.panes.open(pane)
        self.query_one("#tabs", Tabs).show(pane)

    def _go_along(self) -> None:
        """Keep the cursor on the round that is trained, as long as nobody moved it; at first, on the best ticket."""
        assert self.look is not None
        now, before = self.look.now, self._now
        if not self._went:
            self._went = True
            best = words.mapping(self.look.view["verdict"]).get("matching_round")
            self.query_one("#rounds", Table).move_to_key(str(best))
        if now is not None and now != before and before in (None, self.round):
            self.query_one("#rounds", Table).move_to_key(str(now))
        self._now = now

    @on(Table.Moved)
    def _moved(self) -> None:
        if self.look is not None:
            self.panes.show(self.look, self.round, self.metric)

    # Panes

    def action_turn(self, by: int) -> None:
        self._open(PANES[(PANES.index(self.pane) + by) % len(PANES)])

    def action_pane(self, name: str) -> None:
        if name == self.pane and self._layout != "alone":  # again: the keys go to the other of the two
            inside = self.focused is not None and self.focused.id == name
            self.query_one("#rounds" if inside else f"#{name}").focus()
            return
        self._open(name)

    @on(Tabs.Picked)
    def _picked(self, message: Tabs.Picked) -> None:
        self._open(message.name)

    def _open(self, name: str) -> None:
        self._wanted = name
        self._arrange()
        reads = name in READ or (name == "layers" and self._layout == "alone")
        self.query_one(f"#{name}" if reads else "#rounds").focus()
        self.call_after_refresh(self._show)
        self._tick()

    def action_round(self, by: int) -> None:
        self.query_one("#rounds", Table).action_move(by)

    def action_metric(self) -> None:
        """The table's next metric; accuracy comes round again."""
        names = list(rounds.METRICS)
        self.metric = names[(names.index(self.metric) + 1) % len(names)]
        self._show()

    def action_search(self) -> None:
        self.panes.ask()

    # What can be done

    def action_back(self) -> None:
        if not self.panes.leave_search():
            self.app.pop_screen()

    def _gone(self) -> bool:
        """Whether the run was removed, so that nothing can be done to it; which is then said."""
        if gone := follow.removed(self.run_path):
            self.app.say(gone, "warning")
        return bool(gone)

    def action_stop(self) -> None:
        if not self._gone() and self.look is not None:
            acting.ask_to_stop(self.app, self.run_path, self.look.view["state"])

    def action_resume(self) -> None:
        if self._gone():
            return
        if self.look is not None and self.look.view["state"] == "finished":
            extend = self.app.key("run.extend")
            self.app.say(f"This run is finished: there is nothing to resume; {extend} extends it.")
        else:
            acting.perform(self.app, batch.RESUME, self.run_path)

    def action_extend(self) -> None:
        from lth_tui.screens import questions

        if not self._gone():
            questions.ask_extend(self.app, self.run_path)

    def action_transfer(self) -> None:
        from lth_tui.screens import questions

        if not self._gone():
            questions.ask_transfer(self.app, self.run_path, self.round or 0)

    def action_stability(self) -> None:
        from lth_tui.screens import questions

        if not self._gone():
            questions.ask_stability(self.app, self.run_path, self.round or 0)

    def action_copy(self) -> None:
        self.app.copy(self.run_path.name)

    def action_copy_line(self) -> None:
        if self.look is not None:
            spec = self.look.view["spec"]
            self.app.run_worker(lambda: self._copy_line(spec), thread=True, group="settings", exit_on_error=False)

    def _copy_line(self, spec: dict) -> None:
        about = settings.told(spec)
        say = self.app.copy if about.line else self.app.say
        self.app.call_from_thread(say, about.line or about.why_not)
