"""What is done to runs, to one or to several at once: in a thread, and told in one sentence."""

import os
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from subprocess import Popen
from typing import Any, NamedTuple

from textual.message import Message
from textual.worker import get_current_worker

from engine.errors import BadInput
from engine.process import launch, queue
from engine.record import notes, rundir, trash, waiting
from engine.record.history import Summary
from lth_tui import plain, sheet
from lth_tui.screens import words

_TAG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")

Left = Any  # what a deed leaves to keep: an engine, or where a removed run is now


class Refused(Exception):
    """A run was left alone, for a reason in words that can be counted: `had no engine`. `more` is told of one alone."""

    def __init__(self, word: str, more: str = "") -> None:
        super().__init__(word)
        self.more = more


class Act(NamedTuple):
    """Something that is done to runs."""

    name: str  # in the question: `Stop 3 runs?`
    doing: str  # while it is done: `stopping`
    fits: Callable[[Summary], bool]  # whether it can be done to a run in such a state
    do: Callable[[Path], tuple[str, Left]]  # what became of the run, and what is left to keep. Refused, BadInput
    about: str = ""  # in the question: what it means; `{undo}` is the key that takes it back
    one: str = "{run} is {word}."  # what is told where it was done to one run


class Outcome(NamedTuple):
    """What became of one run: in a word that can be counted, in a sentence, and whether it was done."""

    word: str
    sentence: str
    left: Left
    well: bool


class Done(Message):
    """What became of the runs, in a sentence, and what was left to keep."""

    def __init__(self, act: Act, sentence: str, kept: list[Left], well: bool) -> None:
        super().__init__()
        self.act, self.sentence, self.kept, self.well = act, sentence, kept, well


class At(Message):
    """How many runs have been done."""

    def __init__(self, act: Act, number: int, of: int) -> None:
        super().__init__()
        self.act, self.number, self.of = act, number, of

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, At)


def _any(one: Summary) -> bool:  # noqa: ARG001
    return True


def stop(run: Path, at_once: bool) -> tuple[str, Left]:
    """Take a run out of the queue, or else ask its engine to stop, or end it. Refused."""
    if waiting.of(run) is not None and queue.withdraw(run):
        return "taken out of the queue", None
    if launch.end(run) if at_once else launch.ask_to_stop(run):
        return ("ended" if at_once else "asked to stop"), None
    if rundir.state(run) in rundir.ACTIVE:
        raise Refused("cannot be stopped from here", launch.why_not(run))
    raise Refused("had no engine")


def _stop(run: Path) -> tuple[str, Left]:
    return stop(run, at_once=rundir.read_status(run)["state"] == "stopping")  # asked already


def _resume(run: Path) -> tuple[str, Left]:
    from engine import spec as specs

    state = rundir.state(run)
    if state == "finished" or state in rundir.ACTIVE:
        raise Refused(f"is {state}", "there is nothing to resume.")
    specs.of_run(run)
    try:
        engine = queue.launch_in_turn(run)
    except launch.LaunchFailed as error:
        raise BadInput(f"{run.name} did not start: {error}") from None
    return ("waiting for a slot" if waiting.of(run) is not None else "at work again"), engine


def _remove(run: Path) -> tuple[str, Left]:
    return "removed", queue.remove(run)


STOP = Act(
    "Stop",
    "stopping",
    lambda one: one["state"] in (*rundir.ACTIVE, "queued"),
    _stop,
    "They end cleanly and can be resumed; one that is stopping already is ended at once.",
    "{run} was {word}.",
)
RESUME = Act(
    "Resume",
    "resuming",
    lambda one: one["state"] in ("stopped", "failed", "orphaned", "queued"),
    _resume,
    "Each goes on from its last checkpoint, in its turn.",
)
REMOVE = Act(
    "Remove",
    "removing",
    lambda one: one["state"] not in (*rundir.ACTIVE, rundir.UNREADABLE),
    _remove,
    "They go to the trash; {undo} undoes it.",
    "{run} is in the trash.",
)


def _restore(kept: Path) -> tuple[str, Left]:
    return "back", trash.restore(kept.parent.parent, kept.name)


def _go(runs: Path) -> tuple[str, Left]:
    queue.go(runs)
    return "going on", None


RESTORE = Act("Bring back", "bringing back", _any, _restore)  # of where they are in the trash
GO = Act("Go on", "starting what waits", _any, _go, one="The queue goes on.")  # of the runs folder


def noting(**changes: Any) -> Act:
    """Write to the notes of runs; a tag that begins with `-` is taken away."""

    def note(run: Path) -> tuple[str, Left]:
        notes.write(run, **changes)
        return "noted", None

    return Act("Note", "writing", _any, note)


def tagging(given: Iterable[str]) -> Act:
    """Add tags, and take those away that are given as `-tag`."""
    words_ = list(given)
    added = [word for word in words_ if not word.startswith("-")]
    gone = {word[1:] for word in words_ if word.startswith("-")}

    def tag(run: Path) -> tuple[str, Left]:
        before = notes.read(run).tags
        notes.write(run, tags=[one for one in dict.fromkeys([*before, *added]) if one not in gone])
        return "tagged", None

    return Act("Tag", "tagging", _any, tag)


def exporting(summaries: Sequence[Summary]) -> Act:
    """Write runs to a file, never over one that is there."""

    def export(path: Path) -> tuple[str, Left]:
        with path.open("x", encoding="utf-8", newline="") as file:
            file.write(sheet.runs(summaries))
        return f"{words.count(len(summaries), 'run')} written to {plain.path(path)}", None

    return Act("Export", "writing", _any, export, one="{word}.")


def wrong_tags(text: str, away: bool = False) -> str:
    """What is wrong with tags that are typed with spaces between them; `away`: one may have a - before it."""
    for word in text.split():
        if not _TAG.fullmatch(word.removeprefix("-") if away else word):
            return f"tag: {plain.line(word, 30)!r} given; give letters, digits, dots, - and _, a letter or digit first."
    return "" if len(text.split()) <= notes.MOST else f"tags: {len(text.split())} given; give at most {notes.MOST}."


def wrong_name(text: str) -> str:
    """What is wrong with a name that is typed; nothing with none."""
    given = text.strip()
    if not given or _TAG.fullmatch(given):
        return ""
    return f"name: {plain.line(given, 30)!r} given; give letters, digits, dots, - and _, a letter or digit first."


def wrong_file(text: str) -> str:
    """Why nothing can be written to a file of this name."""
    path = Path(text.strip()).expanduser()
    if not text.strip():
        return "file: nothing given; give a name such as runs.csv."
    if os.path.lexists(path):
        return f"file: {plain.path(path)} is there already; give another name."
    return "" if os.path.isdir(path.parent) else f"file: {plain.path(path.parent)} is no folder; give one that is."


def question(
    act: Act, fitting: Sequence[Summary], others: Sequence[Summary], hidden: int, key: Callable[[str], str]
) -> tuple[str, str]:
    """What is asked before it is done, and what is told below it; `key` tells the key of a name of the registry."""
    told = [f"{told_states(fitting)}." if fitting else "", act.about.format(undo=key("runs.undo"))]
    told += [f"Left alone: {told_states(others)}."] if others else []
    told += [f"The filter hides {hidden} of them."] if hidden else []
    return f"{act.name} {words.count(len(fitting), 'run')}?", " ".join(part for part in told if part)


def told_states(summaries: Iterable[Summary]) -> str:
    """`2 running, 1 queued`."""
    return told(Counter(str(one["state"]) for one in summaries))


def told(counts: Counter[str]) -> str:
    return ", ".join(f"{number:,} {word}" for word, number in counts.most_common())


def do(act: Act, run: Path) -> Outcome:
    """Do it to one run. Never raises for what a run or its folder is."""
    try:
        word, left = act.do(run)
    except Refused as error:
        return Outcome(str(error), f"{run.name} {error}{f': {error.more}' if error.more else '.'}", None, False)
    except (BadInput, OSError) as error:
        return Outcome("refused", str(error), None, False)
    return Outcome(word, act.one.format(run=run.name, word=word), left, True)


def perform(act: Act, runs: Sequence[Path], tell: Callable[[Message], object]) -> None:
    """Do it to one run after another, telling how far it is, until it is done or the app leaves."""
    became: list[Outcome] = []
    worker, due = get_current_worker(), 0.0
    for number, run in enumerate(runs):
        if worker.is_cancelled:
            break
        if len(runs) > 1 and time.monotonic() >= due:
            due = time.monotonic() + 0.25
            tell(At(act, number, len(runs)))
        became.append(do(act, run))
    kept = [one.left for one in became if one.left is not None]
    tell(Done(act, _sentence(became), kept, all(one.well for one in became)))


def _sentence(became: Sequence[Outcome]) -> str:
    """Of one run its own; of several how often which word, and the first of what hindered."""
    if len(became) == 1:
        return became[0].sentence
    counts = told(Counter(one.word for one in became))
    hindered = next((f": {one.sentence}" for one in became if one.word == "refused"), ".")
    return f"{counts}{hindered}"


def engines(kept: Iterable[Left]) -> list[Popen[bytes]]:
    return [one for one in kept if isinstance(one, Popen)]
