"""What a run would come to before it is launched: its parameters, how long it takes, the disk it needs.

`look` reads files and imports the spec's code, so it is for a thread; the rest is words for what it found.
"""

import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from engine import catalog
from engine.errors import BadInput
from engine.models import sizes
from engine.record import events, extensions, finding, rundir
from lth_tui.screens import words

if TYPE_CHECKING:
    from engine.spec import RunSpec

KINDS = ("embedding", "encoder", "head", "bias", "frozen")
NO_ESTIMATE = "no estimate yet"
_RECENT = 30  # runs looked at, newest first
_BLOCKS = 12  # cells of the longest bar


@dataclass(frozen=True)
class Preview:
    """Counts of parameters by kind, None where only the checkpoint itself tells; `exact` where the vocabulary is known.

    `seconds` is None where this machine has measured nothing like it, `free` where the disk does not say. `wrong` says
    why nothing could be counted, `missing` that the checkpoint is not here.
    """

    kinds: dict[str, int] | None
    prunable_kinds: tuple[str, ...]
    exact: bool
    trainings: int
    seconds: float | None = None
    disk: int | None = None
    free: int | None = None
    wrong: str = ""
    missing: str = ""

    @property
    def parameters(self) -> int:
        return sum((self.kinds or {}).values())

    @property
    def prunable(self) -> int:
        return sum(count for kind, count in (self.kinds or {}).items() if kind in self.prunable_kinds)

    @property
    def too_little(self) -> bool:
        """Whether the run would not fit on the disk."""
        return self.disk is not None and self.free is not None and self.disk > self.free


def look(runs: Path, spec: "RunSpec") -> Preview:
    """All that is known of a run of this spec."""
    from engine.record import pace

    tree = spec.model_dump(mode="json")
    known = measured(runs, tree)
    vocabulary, classes = known or (spec.data.vocabulary_size + 2, _classes(spec.data.name))
    shape, exact, missing = _shape(spec)
    kinds = sizes.kinds(tree["model"], vocabulary, classes, shape)
    of_words = catalog.MODELS[spec.model.name].reads == "words"
    found = Preview(kinds, spec.schedule.prunable, known is not None if of_words else exact, spec.trainings)
    cost = pace.seconds_an_epoch(runs, tree)
    return Preview(
        **vars(found)
        | {
            "seconds": None if cost is None else cost * spec.training.epochs * spec.trainings,
            "disk": None if kinds is None else disk(spec, found.parameters, found.prunable),
            "free": _free(runs),
            "missing": missing,
        }
    )


def measured(runs: Path, tree: dict) -> tuple[int, int] | None:
    """Words and classes that the newest run on the very same data counted, by a model that reads as this one does."""
    reads = catalog.MODELS[tree["model"]["name"]].reads
    for run in finding.run_dirs(runs)[:_RECENT]:
        other = extensions.spec(run)
        card = catalog.MODELS.get(str(words.mapping(other.get("model")).get("name")))
        if other.get("data") != tree["data"] or card is None or card.reads != reads:
            continue
        with suppress(OSError):
            for event in events.read(run / events.FILE).events:
                found = event.get("vocabulary"), event.get("classes")
                if event["event"] == "data_ready" and all(type(one) is int and one > 1 for one in found):
                    return found  # type: ignore[return-value]
    return None


def disk(spec: "RunSpec", parameters: int, prunable: int) -> int:
    """Bytes of a finished run's weights and masks: all that grows with the network.

    Each seed keeps the rewind point's weights, a mask a round, and twice (the newest and the one before it) what every
    trajectory of its own stands at: its mask, and the weights it trained to unless the next mask is random.
    """
    weights, mask = 4 * parameters, -(-prunable // 8)
    own = [card for arm in spec.arms if (card := catalog.ARMS[arm]).mask == "own"]
    trained = 1 + sum(card.criterion != "random" for card in own)
    standing = trained * weights + (1 + len(own)) * mask
    return len(spec.seeds) * (weights + (spec.schedule.rounds + 1) * mask + 2 * standing)


def _classes(dataset: str) -> int:
    card = catalog.DATASETS.get(dataset)
    return len(card.classes) if card else 2  # a file is not read for this; a class more is a few parameters more


def _shape(spec: "RunSpec") -> tuple[sizes.Shape | None, bool, str]:
    """The shape of the checkpoint that a run begins from, whether that very one is here, and why it is not."""
    from engine.process import launch

    if catalog.MODELS[spec.model.name].reads == "words":
        return None, False, ""
    missing = ""
    try:
        folder = launch.checkpoint(spec)
        if folder is not None:
            return sizes.shape(rundir.read_json(folder / "config.json")), True, ""
    except BadInput as error:
        missing = str(error)
    except OSError:
        pass
    given = getattr(spec.model, "checkpoint", None) or spec.model.name
    return sizes.BERTS.get(given.partition("@")[0].rpartition("/")[2]), False, missing


def _free(runs: Path) -> int | None:
    """Bytes that are free where runs are kept, or will be."""
    there = next((place for place in (runs, *runs.absolute().parents) if place.exists()), None)
    with suppress(OSError):
        return None if there is None else shutil.disk_usage(there).free
    return None


# In words


def takes(seen: Preview) -> str:
    """How long, at most; or that nobody knows."""
    known = words.duration(seen.seconds)
    return f"at most {known} on this machine" if known else NO_ESTIMATE


def room(seen: Preview) -> words.Piece:
    """The disk it takes of what is free, and a tone; the tone warns where that is too little."""
    if seen.disk is None:
        return "not known before the checkpoint is here", "dim"
    free = "" if seen.free is None else f" of {size(seen.free)} free"
    return f"{size(seen.disk)}{free}" + (": too little" if seen.too_little else ""), "bad" if seen.too_little else ""


def size(count: int) -> str:
    """Bytes as `812 kB`, `1.2 GB`."""
    for unit, limit in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= limit:
            return f"{count / limit:.3g} {unit}" if count < 1000 * limit else f"{count / limit:,.0f} {unit}"
    return f"{count} bytes"


def short(count: int) -> str:
    """Parameters as `5.12M`, `304`."""
    for unit, limit in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if count >= limit:
            return f"{count / limit:.3g}{unit}"
    return str(count)


def in_lines(seen: Preview) -> list[words.Piece]:
    """Two lines for a narrow screen: parameters by kind, those that are pruned first; time and disk."""
    if seen.wrong:
        return [(seen.wrong, "$error")]
    parts: list[words.Piece] = []
    if seen.kinds is None:
        parts += [("parameters  known once the checkpoint is here", "$foreground-muted")]
    else:
        told = [
            (kind in seen.prunable_kinds, f"{kind} {short(seen.kinds[kind])}") for kind in KINDS if seen.kinds.get(kind)
        ]
        pruned, kept = (" ".join(text for prunes, text in told if prunes is wanted) for wanted in (True, False))
        parts += [(f"{'' if seen.exact else '≤'}{short(seen.parameters)} parameters, prunes ", "")]
        parts += [(pruned, "$primary"), (f", not {kept}" if kept else "", "$foreground-muted")]
    text, tone = room(seen)
    parts += [("\n", ""), (f"{takes(seen)}; ", ""), (f"disk {text}", words.COLOURS[tone])]
    return parts


def in_a_pane(seen: Preview) -> list[words.Piece]:
    """A line a kind with a bar for its share, then trainings, time and disk."""
    if seen.wrong:
        return [(f"{seen.wrong}\n", "$error")]
    parts: list[words.Piece] = [("Parameters", "$accent")]
    if seen.kinds is None:
        parts += [("  known once the checkpoint is here\n", "$foreground-muted")]
    else:
        parts += _kinds(seen)
    text, tone = room(seen)
    parts += [("Trainings   ", "$accent"), (f"{seen.trainings:,}\n", "")]
    parts += [
        ("Takes       ", "$accent"),
        (f"{takes(seen)}\n", "" if seen.seconds is not None else "$foreground-muted"),
    ]
    parts += [("Disk        ", "$accent"), (f"{text}\n", words.COLOURS[tone])]
    return parts


def _kinds(seen: Preview) -> Sequence[words.Piece]:
    assert seen.kinds is not None
    most = "" if seen.exact else "at most "
    parts: list[words.Piece] = [
        (f"  {most}{seen.parameters:,}, ", ""),
        (f"{short(seen.prunable)} prunable\n", "$primary"),
    ]
    for kind in KINDS:
        count = seen.kinds.get(kind, 0)
        if not count:
            continue
        pruned = kind in seen.prunable_kinds
        cells = max(1, round(_BLOCKS * count / seen.parameters))
        parts += [(f"  {kind:<9} ", ""), (f"{count:>13,} ", "" if pruned else "$foreground-muted")]
        parts += [("█" * cells, "$primary" if pruned else "$foreground-muted")]
        parts += [("" if pruned else " kept", "$foreground-muted"), ("\n", "")]
    return parts
