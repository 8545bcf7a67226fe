"""One run: the verdict in words, its rounds as they come in, and beside them a pane of one's choice."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Footer, Input, Static

from engine.record import summary
from lth_tui import chart
from lth_tui.keys import KEYS, bindings
from lth_tui.screens import follow, headline, words
from lth_tui.screens.acting import ask_to_stop
from lth_tui.screens.panes import happenings, layers, learning, log, rounds, settings
from lth_tui.screens.resuming import resume
from lth_tui.widgets.curves import Curves
from lth_tui.widgets.page import Line, Page
from lth_tui.widgets.table import Table
from lth_tui.widgets.tabs import Tabs
from lth_tui.widgets.topbar import TopBar

if TYPE_CHECKING:
    from lth_tui.app import LthApp

PANES = ("rounds", "chart", "learning", "layers", "settings", "events", "log")
TAILS = {"events": "events.jsonl", "log": "engine.log"}  # panes that are read on as their files grow
WIDE, TALL = 110, 34  # from here on the rounds stand beside the pane, or above it
_UNTITLED = replace(chart.SPARSITY, titles=())
_KEYS = {key.name: key for key in KEYS["run"].keys}


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

    class Grown(Message):
        """There are more lines of one of TAILS."""

        def __init__(self, pane: str, lines: list[Line], still_open: Line | None) -> None:
            super().__init__()
            self.pane, self.lines, self.still_open = pane, lines, still_open

    class Told(Message):
        """What there is to say of the settings is known."""

        def __init__(self, spec: dict, about: settings.Told) -> None:
            super().__init__()
            self.spec, self.about = spec, about

    def __init__(self, run: Path) -> None:
        super().__init__()
        self.run_path = run
        self.follower = follow.Follower(run)
        self.tails = {"events": happenings.Tail(run), "log": log.Tail(run)}
        self.look: follow.Look | None = None
        self.metric = "accuracy"
        self._wanted: str | None = None  # the pane that was asked for
        self._looking = False
        self._now: int | None = None  # the round that was trained at the last look
        self._about: tuple[dict, settings.Told] | None = None
        self._asked: dict | None = None  # the spec whose settings are being looked at

    def compose(self) -> ComposeResult:
        yield TopBar("runs", self.run_path.name)
        yield Page(id="head")
        yield Tabs([(name, _KEYS[name].keys, _KEYS[name].title) for name in PANES], id="tabs")
        with Container(id="body"):
            yield Table(rounds.columns([]), key=lambda row: str(row.number), cells=lambda row: row.cells, id="rounds")
            with Container(id="pane"):
                yield Curves(id="chart")
                yield Curves(id="learning")
                for name in ("layers", "settings", *TAILS):
                    yield Page(id=name)
                yield Static(id="foot", markup=False)
                yield Input(id="search", compact=True, placeholder="search; Enter finds, Esc leaves", max_length=200)
        yield Footer(show_command_palette=False, compact=True)

    def on_mount(self) -> None:
        self.query_one("#head", Page).can_focus = False
        for name in TAILS:
            self._page(name).following = True
        self.set_interval(0.25 if getattr(self.app, "fast", False) else self.app.TICK, self._tick)
        self._tick()

    def on_unmount(self) -> None:
        for tail in self.tails.values():
            tail.close()

    # Reading, in a thread

    def _tick(self) -> None:
        if not self._looking and (self.is_current or self.look is None):
            self._looking = True
            pane = self.pane
            self.app.run_worker(lambda: self._read(pane), thread=True, group="follow", exit_on_error=False)

    def _read(self, pane: str) -> None:
        try:
            if (look := self.follower.look()) is not None:
                self.post_message(self.Seen(look))
            if pane in TAILS:
                lines, still_open = self.tails[pane].read()
                if lines or still_open is not None:
                    self.post_message(self.Grown(pane, lines, still_open))
        finally:
            self._looking = False

    def on_run_screen_seen(self, message: Seen) -> None:
        self.look = message.look
        self._show()
        self._go_along()

    def on_run_screen_grown(self, message: Grown) -> None:
        self._page(message.pane).add(message.lines, message.still_open)
        self._show_foot()

    # Showing: only what is on the screen, and of that what changed

    @property
    def pane(self) -> str:
        """The pane that is shown: the one that was asked for, or what there is to see beside the rounds."""
        if self._wanted is not None:
            return self._wanted
        if not self._both_fit:
            return "rounds"
        pruned = self.look is not None and any("dense" not in one["arms"] for one in self.look.view["rounds"])
        return "chart" if pruned else "learning"

    @property
    def _both_fit(self) -> bool:
        return self.size.width >= WIDE or self.size.height >= TALL

    @property
    def round(self) -> int | None:
        """The round under the cursor."""
        item = self.query_one("#rounds", Table).item
        return None if item is None else item.number

    def _page(self, name: str) -> Page:
        return self.query_one(f"#{name}", Page)

    def _show(self) -> None:
        if self.look is None or not self.is_mounted:
            return
        self._show_head(self.look)
        self._arrange()
        if self.query_one("#rounds").display:
            self._show_rounds(self.look)
        self._show_pane()

    def _show_head(self, look: follow.Look) -> None:
        note = "" if self.metric == "accuracy" else f"table shows test {self.metric}"
        lines = headline.lines(look, max(self.size.width - 2, 10), self.size.height >= TALL, note)
        head = self._page("head")
        most = max(self.size.height // 2, 1)
        if len(lines) != head.virtual_size.height or head.size.height != min(len(lines), most):
            head.styles.height = min(len(lines), most)
        head.show(lines)

    def _show_rounds(self, look: follow.Look) -> None:
        table = self.query_one("#rounds", Table)
        table.set_columns(rounds.columns(summary.arms_of(look.view["spec"]), self.metric))
        table.show(rounds.rows(look, self.metric))

    def _show_pane(self) -> None:
        pane, look = self.pane, self.look
        if look is None:
            return
        if pane == "chart":
            found, dense = chart.curves(look.view["rounds"], summary.arms_of(look.view["spec"]))
            said = {"title": chart.SPARSITY.titles[0], "empty": "The chart begins with the first pruned network."}
            self.query_one("#chart", Curves).show(found, dense, words.linear(look.view), _UNTITLED, **said)
        elif pane == "learning":
            found, axis = learning.drawing(look, self.round, self.metric)
            title = learning.title(look, self.round, self.metric)
            self.query_one("#learning", Curves).show(found, axis=axis, title=title, empty="No epoch of this round yet.")
        elif pane == "layers":
            self._page("layers").show(layers.lines(look, self.round, self._page("layers").size.width))
        elif pane == "settings":
            self._show_settings(look)

    def _show_settings(self, look: follow.Look) -> None:
        spec = look.view["spec"]
        about = self._about[1] if self._about is not None and self._about[0] == spec else None
        page = self._page("settings")
        page.show(settings.lines(spec, about, page.size.width))
        if about is None and self._asked != spec:
            self._asked = spec
            work = lambda: self.post_message(self.Told(spec, settings.told(spec)))  # noqa: E731
            self.app.run_worker(work, thread=True, group="settings", exit_on_error=False)

    def on_run_screen_told(self, message: Told) -> None:
        self._about, self._asked = (message.spec, message.about), None
        self._show_pane()

    def _show_foot(self) -> None:
        """Under lines: whether their end is followed, and what a search found."""
        foot, pane = self.query_one("#foot", Static), self.pane
        if pane not in ("layers", "settings", *TAILS):
            return
        page = self._page(pane)
        ends = "the end of it, followed" if page.following else "f follows its end"
        said = [f"{TAILS[pane]}: {ends if page.lines else 'nothing in it yet'}"] if pane in TAILS else []
        if page.term:
            hits = page.hits()
            place = f"{hits.index(page.hit) + 1} of {len(hits)}" if page.hit in hits else "nowhere"
            said.append(f"“{page.term}”: {place}, n and N go on")
        else:
            said.append("/ searches")
        if (text := " · ".join(said)) != str(foot.content):
            foot.update(text)

    def on_resize(self, _: events.Resize) -> None:
        self.call_after_refresh(self._show)

    def _arrange(self) -> None:
        """Rounds and pane side by side, one above the other, or the one that is wanted, as there is room."""
        pane = self.pane
        alone = pane == "rounds"
        self.set_class(self.size.width >= WIDE and not alone, "-beside")
        self.set_class(self.size.width < WIDE and self._both_fit and not alone, "-below")
        self.query_one("#rounds").display = alone or self._both_fit
        self.query_one("#pane").display = not alone
        for name in PANES[1:]:
            self.query_one(f"#{name}").display = name == pane
        self.query_one("#foot").display = pane in ("settings", *TAILS)
        self.query_one("#tabs", Tabs).show(pane)

    def _go_along(self) -> None:
        """Keep the cursor on the round that is trained, as long as nobody moved it elsewhere."""
        assert self.look is not None
        now, before = self.look.now, self._now
        if now is not None and now != before and (before is None or self.round == before):
            self.query_one("#rounds", Table).move_to_key(str(now))
        self._now = now

    @on(Table.Moved)
    def _moved(self) -> None:
        self._show_pane()

    @on(Page.Searched)
    def _searched(self) -> None:
        self._show_foot()

    # Panes

    def action_turn(self, by: int) -> None:
        self._open(PANES[(PANES.index(self.pane) + by) % len(PANES)])

    def action_pane(self, name: str) -> None:
        if name == self.pane and self._both_fit and name != "rounds":  # again: the keys go to the other of the two
            inside = self.focused is not None and self.focused.id == name
            self.query_one("#rounds" if inside else f"#{name}").focus()
            return
        self._open(name)

    @on(Tabs.Picked)
    def _picked(self, message: Tabs.Picked) -> None:
        self._open(message.name)

    def _open(self, name: str) -> None:
        self._wanted = name
        self.query_one("#search").display = False
        self._arrange()
        reads = name in ("settings", *TAILS) or (name == "layers" and not self._both_fit)
        self.query_one(f"#{name}" if reads else "#rounds").focus()
        self.call_after_refresh(self._show)
        self._show_foot()
        self._tick()

    def action_round(self, by: int) -> None:
        self.query_one("#rounds", Table).action_move(by)

    def action_metric(self) -> None:
        """The table's next metric; accuracy comes round again."""
        names = list(rounds.METRICS)
        self.metric = names[(names.index(self.metric) + 1) % len(names)]
        self._show()

    def action_search(self) -> None:
        field = self.query_one("#search", Input)
        field.display = True
        field.focus()

    @on(Input.Submitted, "#search")
    def _search(self, message: Input.Submitted) -> None:
        self._leave_search()
        self._page(self.pane).search(message.value)

    def _leave_search(self) -> None:
        self.query_one("#search").display = False
        self._page(self.pane).focus()

    # What can be done

    def action_back(self) -> None:
        if self.query_one("#search").display:
            self._leave_search()
        else:
            self.app.pop_screen()

    def action_stop(self) -> None:
        if self.look is not None:
            ask_to_stop(self.app, self.run_path, self.look.view["state"])

    def action_resume(self) -> None:
        resume(self.app, self.run_path)

    def action_extend(self) -> None:
        from lth_tui.screens import questions

        questions.ask_extend(self.app, self.run_path)

    def action_transfer(self) -> None:
        from lth_tui.screens import questions

        questions.ask_transfer(self.app, self.run_path, self.round or 0)

    def action_stability(self) -> None:
        from lth_tui.screens import questions

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
