"""One run: what it is doing, its rounds as they come in, the chart, and the verdict."""

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container
from textual.content import Content
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Footer, Static

from engine.record import rundir, summary
from lth_tui import plain
from lth_tui.keys import KEYS, bindings
from lth_tui.screens import follow, words
from lth_tui.screens.acting import ask_to_stop
from lth_tui.screens.log import LogScreen
from lth_tui.widgets.curves import Curves
from lth_tui.widgets.table import Table
from lth_tui.widgets.topbar import TopBar

if TYPE_CHECKING:
    from lth_tui.app import LthApp


class RunScreen(Screen[None]):
    """Follows one run directory, from its first second to long after its last."""

    HELP_TITLE = KEYS["run"].title
    CSS_PATH = "run.tcss"
    BINDINGS: ClassVar[list[BindingType]] = bindings("run")

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
        self._looking = False
        self._head: object = None
        self._wants_chart = False
        self._metric = "accuracy"

    def compose(self) -> ComposeResult:
        yield TopBar("runs", self.run_path.name)
        yield Static(id="head", markup=False)
        with Container(id="body"):
            yield Table(follow.columns([]), key=lambda row: str(row.number), cells=lambda row: row.cells, id="rounds")
            yield Curves(id="curves")
        yield Footer(show_command_palette=False, compact=True)

    def on_mount(self) -> None:
        self.set_interval(self.app.TICK, self._tick)
        self._tick()

    def _tick(self) -> None:
        if not self._looking and (self.is_current or self.look is None):
            self._looking = True
            self.app.run_worker(self._read, thread=True, group="follow", exit_on_error=False)

    def _read(self) -> None:
        try:
            if (look := self.follower.look()) is not None:
                self.post_message(self.Seen(look))
        finally:
            self._looking = False

    def on_run_screen_seen(self, message: Seen) -> None:
        self.look = message.look
        self._show()

    def on_resize(self, _: events.Resize) -> None:
        self.call_after_refresh(self._show)

    def _show(self) -> None:
        if self.look is None:
            return
        head = self._headline(self.look)
        if (said := (str(head.plain), head.spans)) != self._head:
            self._head = said
            self.query_one("#head", Static).update(head)
        arms = summary.arms_of(self.look.view["spec"])
        table = self.query_one("#rounds", Table)
        table.set_columns(follow.columns(arms))
        table.show(follow.rows(self.look, self._metric))
        self.query_one("#curves", Curves).show(self.look.view["rounds"], arms, words.linear(self.look.view))
        self.call_after_refresh(self._arrange)  # once the head has its height

    def _arrange(self) -> None:
        """Table and chart side by side, one above the other, or the one that is wanted, as there is room."""
        rounds = len(self.query_one("#rounds", Table).items) + 1
        used = self.query_one("#head", Static).size.height + 2
        room = self.size.height - used - rounds
        drawable = self.look is not None and any("dense" not in one["arms"] for one in self.look.view["rounds"])
        beside, below = self.size.width >= 150, room >= 9
        self.set_class(beside and drawable, "-beside")
        self.set_class(not beside and below and drawable, "-below")
        self.set_class(not beside and not below and self._wants_chart and drawable, "-chart")

    # The head: state, doing, progress, verdict or cause, warnings

    def _headline(self, look: follow.Look) -> Content:
        view, status = look.view, look.status
        state = view["state"]
        text, tone = words.state(state)
        parts: list[tuple[str, str]] = [(f"{text}  ", f"bold {words.COLOURS[tone]}")]
        parts += [(self._what(view), "$foreground-muted"), ("\n", "")]
        width = max(self.size.width - 2, 10)
        progress = view["progress"]
        fraction = progress["fraction"] if state != "finished" else 1.0
        if fraction is not None and state != "queued":
            tail = f" {100 * fraction:3.0f} %"
            if progress["trainings"]:
                tail += f"  {progress['trained']:,} of {progress['trainings']:,} trainings"
            pieces = words.bar(
                fraction, max(min(width - len(tail), 60), 4), "live" if state in rundir.ACTIVE else "dim"
            )
            parts += [(one, words.COLOURS[shade]) for one, shade in pieces] + [(f"{tail}\n", "")]
        if doing := self._doing(look):
            parts += [(f"{doing}\n", "")]
        parts += self._words(view, status)
        warnings = [plain.line(one, 300) for one in view["warnings"]]
        if view["events_skipped"]:
            warnings.append(f"{words.count(view['events_skipped'], 'event')} could not be read and were passed over")
        most = 1 if self.size.height < 30 else 4
        for warning in warnings[:most]:
            parts += [(f"⚠ {warning}", "$warning"), ("\n", "")]
        if len(warnings) > most:
            parts += [(f"⚠ and {words.count(len(warnings) - most, 'more warning')}\n", "$warning")]
        return Content.assemble(*parts).rstrip()

    def _what(self, view: dict) -> str:
        spec = view["spec"]
        names = " × ".join(plain.line(summary.named(spec, part) or "?", 40) for part in ("model", "data", "schedule"))
        device = view["machine"]["device"]
        on = f" · on {plain.line(device, 20)}" if device else ""
        level = words.linear(view)
        linear = "" if level is None else f" · linear reference {words.percent(level)} %"
        metric = "" if self._metric == "accuracy" else f" · table shows test {self._metric}"
        return f"{names} · {words.count(len(view['seeds']), 'seed')}{on}{linear}{metric}{_asked(spec)}"

    def _doing(self, look: follow.Look) -> str:
        status, view = look.status, look.view
        if view["state"] not in rundir.ACTIVE:
            return ""
        parts = []
        seeds, seed = view["seeds"], status.get("seed")
        if seed in seeds:
            parts.append(f"seed {seeds.index(seed) + 1} of {len(seeds)}")
        if (number := status.get("round")) is not None:
            parts.append(f"round {number} of {summary.rounds_of(view['spec']) or '?'}")
        if arm := status.get("arm"):
            parts.append(plain.line(arm, 20))
        if status.get("epoch") and status.get("epochs"):
            parts.append(f"epoch {status['epoch']} of {status['epochs']}")
        doing = status.get("doing")
        if not parts:
            parts.append(plain.line(doing, 80) if isinstance(doing, str) else "the engine is starting")
        left = words.duration(status.get("progress", {}).get("seconds_left"))
        if left:
            parts.append(f"about {left} left")
        if view["state"] == "stopping":
            parts.append("stopping after this step")
        return " · ".join(parts)

    def _words(self, view: dict, status: dict) -> list[tuple[str, str]]:
        """The verdict, or why there is none."""
        state = view["state"]
        verdict = view["verdict"] if isinstance(view["verdict"], dict) else {}
        sentence = verdict.get("sentence") or status.get("sentence")
        if state == "failed":
            return [(f"✗ {plain.line(view['cause'] or 'nobody knows why')}\n", "bold $error")]
        if sentence and state == "finished":
            won = verdict.get("winning_ticket")
            tone = "$success" if won is True else "$warning" if won is False else "$accent"
            return [(f"{plain.line(sentence, 1000)}\n", f"bold {tone}")]
        if state == "orphaned":
            again = f"lth resume {self.run_path.name[-4:]}"
            return [
                (
                    f"Its engine is gone (killed, or the machine went down). `{again}` goes on from its last round.\n",
                    "$warning",
                )
            ]
        if state == "stopped":
            return [
                (f"Stopped; what is done stays. `lth resume {self.run_path.name[-4:]}` goes on.\n", "$foreground-muted")
            ]
        if state == "queued":
            waits = "Waits its turn; `lth queue` shows for what." if status.get("waiting") else "Not started yet."
            return [(f"{waits}\n", "$foreground-muted")]
        return []

    # What can be done

    def action_stop(self) -> None:
        if self.look is not None:
            ask_to_stop(self.app, self.run_path, self.look.view["state"])

    def action_log(self) -> None:
        self.app.push_screen(LogScreen(self.run_path))

    def action_copy(self) -> None:
        self.app.copy(self.run_path.name)

    def action_metric(self) -> None:
        """The table's next metric; accuracy comes round again."""
        names = list(follow.METRICS)
        self._metric = names[(names.index(self._metric) + 1) % len(names)]
        self._show()

    def action_chart(self) -> None:
        self._wants_chart = not self._wants_chart
        self._arrange()


def _asked(spec: dict) -> str:
    """What the run asks of the tickets of another; empty for an ordinary run."""
    question, origin = summary.question_of(spec), summary.origin_of(spec)
    if question is None:
        return ""
    return f" · {question} of round {plain.line(origin.get('round'), 8)} of {plain.line(origin.get('run'), 80)}"
