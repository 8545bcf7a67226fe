"""Text that somebody who does not mean well could have put into any file of a run, and runs that are full of it."""

import json
import random
from pathlib import Path

import orjson

from engine.record import events, rundir
from tests.app.story import SPEC

ATOMS = [
    "[/foo]", "[bold red]x[/]", "[@click=app.quit]x[/]", "[link=file:///etc/passwd]y[/link]", ":smile:", "$error",
    "\x1b[2J\x1b[H", "\x1b[31m", "\x1b]0;title\x07", "\x1b]52;c;aGk=\x1b\\", "\x1bP+q544e\x1b\\", "\x1b[6n", "\x1bc",
    "\x9b31m", "\x9d0;title\x9c", "\x90q\x9c", "\x84\x85", "\x07", "\x08\x08\x08", "\x00", "\x7f", "\x0e\x0f",
    "\u202eexe.txt", "\u2066x\u2069", "\u200e\u200f\u061c", "a\u200bb\ufeffc\u2060", "\u2028\u2029", "\ufff9x\ufffa",
    "\U000e0041\U000e007f", "👩‍👩‍👧‍👦", "🏳️‍🌈", "e" + "\u0301" * 300, "\u200d" * 300, "宽" * 40, "שלום עולם", "مرحبا",
    "%s%n%x", "{0} {x.__class__}", "new\nline", "tab\tstop", "over\rwritten", "\r\n", "w" * 3000, " ", "", "=1+1",
    "'\"`$(reboot)`", "../../etc/passwd", "-rf", "<b>&amp;</b>", "\\", "\ud800", "\udc80\udcff", "\U0001f600" * 9,
]  # fmt: skip
LONG = "1 MB of \x1b[31m" + "x" * (1 << 20)


def text(number: int) -> str:
    """A hostile text: each of the atoms, then what chance makes of several; one in a hundred is a megabyte."""
    if number < len(ATOMS):
        return ATOMS[number]
    draw = random.Random(number)
    if number % 100 == 60:
        return LONG + draw.choice(ATOMS)
    return "".join(draw.choices(ATOMS, k=draw.randint(2, 6)))


def written(text: str) -> str:
    """What of a text the formats of events and status can hold: no half of a surrogate pair."""
    return text.encode(errors="replace").decode()


def run(runs: Path, text: str, state: str) -> Path:
    """A run whose every word is a hostile text."""
    whole, short = written(text), written(text)[:4000]
    spec = SPEC | {"version": 2, "device": short, short: short, "threads": short, "name": whole[:300_000]}
    spec |= {"training": {"epochs": 3, short: [short], "optimizer": short}}
    if state != "finished":
        spec |= {"model": {"name": short}, "data": {"name": short, "file": short}}
        spec |= {"schedule": {"name": short, "rounds": 2, "rate": short, "scope": short}}
    made = rundir.create(runs, orjson.dumps(spec), "cnn", "pydoc", "imp")
    words = {"cause": whole, "sentence": whole, "arm": short, "doing": short, "winning_ticket": short}
    process = {"pid": short, "host": short, "boot_id": short, "start_ticks": short}
    progress = {"fraction": short, "seconds_left": short}
    status = {"state": state, "process": process, "best": {"dense": 0.5, short: short, "ticket": short}, **words}
    rundir.write_status(made, status | {"progress": progress, "seed": 0, "round": 1, "epoch": 1, "epochs": 3})
    log = events.EventLog(made)
    log.append("run_started", versions={short: short}, device=short, threads=1, grouping=short)
    counts = dict.fromkeys(("classes", "train", "valid", "test", "vocabulary"), 2)
    log.append("data_ready", name=short, class_names=[short, f"{short}2"], note=whole, fingerprint=short, **counts)
    log.append("reference", seed=0, linear_test_accuracy=0.5)
    for seed in (0, 1):
        for number, arm in ((0, "dense"), (1, "ticket"), (1, "reinit")):
            where = {"seed": seed, "round": number, "arm": arm, "sparsity": 0.2 * number}
            shape = {"total_sparsity": 0.2, "parameters": 10, "nonzero": 8, "layers": {short: 0.2}, "kinds": {short: 1}}
            log.append("round_started", seed=seed, round=number, sparsity=0.2 * number, arms=[short], **shape)
            log.append("trained", **where, test_accuracy=0.5, best_epoch=1, seconds=1.0, shared=short)
    log.append("trained", seed=short, round=short, arm=short, best_epoch=short, test_accuracy=short)
    log.append("warning", message=whole)
    log.append("warning", message=short + "2")
    log.append(short, **{"x" + short: short})
    if state == "finished":
        told = {"sentence": whole, "winning_ticket": short, "rounds": [{"round": 1, "differences": {short: short}}]}
        log.append("run_finished", verdict=told | {"against": {short: short, "b": {"p": short}}}, reference=None)
    elif state == "failed":
        log.append("run_failed", cause=whole)
    log.close()
    notes = {"name": text[:300_000], "tags": [text[:3000], "b"], "note": text[:300_000]}
    (made / "notes.json").write_text(json.dumps(notes))  # with the halves of surrogate pairs, as escapes
    lines = f"{text}\nTraceback (most recent kind)\n{text[:5000]} and on"
    (made / "engine.log").write_bytes(b"\xff\xfe\x9b31m\n" + lines.encode("utf-8", "surrogatepass"))
    (made / "engine.log.1").write_bytes(b"before\r" + text[:5000].encode("utf-8", "surrogatepass") + b"\n")
    return made


def file_name(text: str) -> str:
    """As much of a text as the name of a file may hold."""
    return text.replace("/", "_").replace("\0", "_").encode(errors="replace")[:150].decode(errors="ignore") or "x"


def dataset(folder: Path, text: str) -> Path:
    """A csv of one's own: hostile name, classes and texts."""
    folder.mkdir(exist_ok=True, parents=True)
    path = folder / f"{file_name(text)}.csv"
    cell = text[:20_000].encode("utf-8", "replace").decode().replace('"', "'").replace("\0", "?")
    rows = [f'"{cell} {number} words of a text","{cell[:500]} {number % 2}"' for number in range(20)]
    path.write_text("text,label\n" + "\n".join(rows) + "\n", newline="")
    return path


def schedule(folder: Path, text: str) -> Path:
    """A schedule of one's own: hostile name and words."""
    folder.mkdir(exist_ok=True, parents=True)
    path = folder / f"{file_name(text)}.toml"
    words = json.dumps(written(text)[:5000], ensure_ascii=False).replace("\x7f", "\\u007f")
    path.write_text(f"title = {words}\ncitation = {words}\nrate = 0.3\n")
    return path
