"""The queue as `lth queue` shows it: the slots and what works on them, who waits and why, whose engine is gone."""

import os
import time
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from engine.process import gpus, placing, queue, slots
from engine.record import history, rundir, waiting
from lth_tui import plain, tables
from lth_tui.screens.words import number, share


def facts(runs: Path) -> dict[str, Any]:
    """What `lth queue --json` prints. Raises BadInput."""
    seen = waiting.look(runs)
    paused = queue.paused(runs, seen)
    running = [
        {
            "id": one.run.name,
            "state": rundir.state(one.run, one.status),
            "since": history.iso(number(one.status.get("started"))),
            "device": placing.device(one.run),
            "gpu": one.status.get("gpu"),
            "progress": share(tables.mapping(one.status.get("progress")).get("fraction")),
        }
        for one in seen.working
    ]
    return {
        "slots": queue.slot_count(runs),
        "running": running,
        "others": [
            {"pid": pid or None, "user": rundir.owner(Path(f"/proc/{pid}")) if pid else None}
            for pid in slots.others(one.run for one in seen.working)
        ],
        "waiting": _waiting(runs, seen, paused),
        "paused": paused is not None,
        "why": paused,
        "orphaned": [run.name for run in seen.orphaned],
    }


def _waiting(runs: Path, seen: waiting.Seen, paused: str | None) -> list[dict[str, Any]]:
    """Who waits, in order, each with its place in its own queue and what it waits for."""
    turn = placing.turn(seen, paused, queue.slots_told(runs))
    head = turn if isinstance(turn, str) else "starts in a moment"
    found: list[dict[str, Any]] = []
    places: dict[tuple[str, int | None], int] = {}
    for one in seen.waiting:
        place = places[one.host, one.uid] = places.get((one.host, one.uid), 0) + 1
        if not one.ours:
            why = f"waits for {one.host}" + ("" if one.uid == os.getuid() else f", user {one.uid}")
        elif place == 1 or paused is not None:
            why = head
        else:
            why = f"{tables.count(place - 1, 'run')} before it"
        found.append(
            {"id": one.run.name, "place": place, "since": history.iso(one.since), "host": one.host, "why": why}
        )
    return found


def before(run: Path) -> str:
    """What a run that waits waits for, in a line: `waiting: 2 runs before it; 1 slot, held by ...`. Raises BadInput."""
    seen = waiting.look(run.parent)
    found = _waiting(run.parent, seen, queue.paused(run.parent, seen))
    place = next((at for at, one in enumerate(found) if one["id"] == run.name), None)
    if place is None:
        return "starting the engine"
    one, head = found[place], found[0]["why"]
    if one["why"] == head or not seen.waiting[place].ours:
        return f"waiting: {plain.line(one['why'])}"
    return f"waiting: {one['why']}; {plain.line(head)}"


def shown(told: dict[str, Any]) -> RenderableType:
    """The queue in words and tables."""
    running, waits, orphaned = told["running"], told["waiting"], told["orphaned"]
    taken = len(running) + len(told["others"])
    parts: list[RenderableType] = [f"{taken} of {tables.count(told['slots'], 'slot')} taken"]
    for one in told["others"]:
        words = f"by {plain.line(one['user'])}, process {one['pid']}" if one["pid"] else "in another container"
        parts.append(Text(f"One by a run of another runs folder or user, {words}.", tables.QUIET))
    if running:
        cards = {card.uuid: f"GPU {card.index} ({plain.line(card.name, 40)})" for card in gpus.every()}
        made = tables.table("run", "on", "done", right=("done",))
        for one in running:
            on = cards.get(one["gpu"] or "") or plain.line(one["gpu"] or one["device"], 40)
            done = number(one["progress"])
            made.add_row(plain.line(one["id"]), on, "–" if done is None else f"{100 * done:.0f} %")
        parts += [made, ""]
    if told["paused"]:
        words = f"Paused: {plain.line(told['why'])}"
        parts.append(Text(words if "lth queue go" in words else f"{words}; `lth queue go` goes on.", "yellow"))
    if waits:
        made = tables.table("#", "waits", "since", "for", right=("#",))
        now = time.time()
        made.columns[1].no_wrap = True
        for one in waits:
            since = "–" if one["since"] is None else f"{tables.age(one['since'], now)} ago"
            why = "" if told["paused"] and one["why"].endswith(f"({told['why']})") else one["why"]
            made.add_row(str(one["place"]), plain.line(one["id"]), since, tables.text(why, tables.QUIET))
        parts.append(made)
    else:
        parts.append(Text("Nobody waits.", tables.QUIET))
    for run in orphaned:
        words = f"{plain.line(run)} is orphaned: its engine is gone. Go on with: lth resume {plain.line(run)}"
        parts.append(Text(words, "yellow"))
    return Group(*parts)
