"""What this machine is doing: its GPUs, processor, memory and disk, sampled as plain data and put into short lines.

Nothing is imported before the first sample. What a driver does not tell is None, never a guess.
"""

import os
import shutil
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.cells import cell_len

from lth_tui import plain
from lth_tui.screens.words import Piece

GIB = 1 << 30
REMEMBERED = 240  # samples a trail keeps; more than any line is wide
BLOCKS = "▁▂▃▄▅▆▇█"
NO_GPU = "no GPU here: runs train on the processor"


@dataclass(frozen=True)
class Card:
    """One GPU at one moment. `busy` is the share of time in which a kernel ran; sizes in bytes."""

    index: int
    name: str
    uuid: str
    busy: float | None = None
    used: int | None = None
    total: int | None = None
    celsius: int | None = None
    watts: float | None = None


@dataclass(frozen=True)
class Sample:
    """One moment. `no_gpu` says in words why there are no cards; None where there are."""

    cards: tuple[Card, ...] = ()
    no_gpu: str | None = None
    cpu: float | None = None  # of all cores
    cores: int | None = None
    memory: tuple[int, int] | None = None  # used, total
    disk: tuple[int, int] | None = None  # used, total, of the file system that the runs are on


class Sampler:
    """Samples one machine; holds the driver open between two samples, until `close`. Used by one thread at a time."""

    def __init__(self, runs: Path, nvml: Any = None, ps: Any = None) -> None:
        self.runs = runs
        self._nvml, self._ps = nvml, ps
        self._open = self._asked = False

    def sample(self) -> Sample:
        """How things are now. Never raises on what the system does not tell."""
        if self._ps is None:
            import psutil

            self._ps = psutil
        cards, no_gpu = self._cards()
        memory = _told(self._ps.virtual_memory)
        busy = _told(lambda: self._ps.cpu_percent(None))
        if not self._asked:  # the first answer is of no time at all
            self._asked, busy = True, None
        return Sample(
            cards,
            no_gpu,
            None if busy is None else min(busy / 100, 1.0),
            _told(self._ps.cpu_count),
            None if memory is None else (memory.total - memory.available, memory.total),
            _told(lambda: _disk(self.runs)),
        )

    def _cards(self) -> tuple[tuple[Card, ...], str | None]:
        if self._nvml is None:
            import pynvml

            self._nvml = pynvml
        nvml = self._nvml
        try:
            if not self._open:
                nvml.nvmlInit()
                self._open = True
            handles = [nvml.nvmlDeviceGetHandleByIndex(index) for index in range(nvml.nvmlDeviceGetCount())]
            uuids = [nvml.nvmlDeviceGetUUID(handle) for handle in handles]
        except nvml.NVMLError as error:
            gone = self._open  # it was here: say what became of it
            self.close()
            return (), f"the GPUs do not answer ({plain.line(error, 60)})" if gone else NO_GPU
        seen = _visible(uuids, os.environ.get("CUDA_VISIBLE_DEVICES"))
        if not seen:
            return (), f"{NO_GPU} (CUDA_VISIBLE_DEVICES leaves none)" if handles else NO_GPU
        return tuple(_card(nvml, index, uuids[index], handles[index]) for index in seen), None

    def close(self) -> None:
        """Let the driver go; the next sample opens it again."""
        if self._open:
            self._open = False
            with suppress(self._nvml.NVMLError):
                self._nvml.nvmlShutdown()


def _visible(uuids: list[str], allowed: str | None) -> list[int]:
    """Which GPUs runs may use, as `engine.process.gpus` tells."""
    from engine.process import gpus

    found = [gpus.Gpu(uuid, index, "", 0, 0) for index, uuid in enumerate(uuids)]
    return [card.index for card in gpus.visible(found, allowed)]


def _card(nvml: Any, index: int, uuid: str, handle: Any) -> Card:
    def ask(question: str, *more: Any) -> Any:
        return _told(lambda: getattr(nvml, question)(handle, *more), nvml.NVMLError)

    busy, memory = ask("nvmlDeviceGetUtilizationRates"), ask("nvmlDeviceGetMemoryInfo")
    power = ask("nvmlDeviceGetPowerUsage")  # milliwatts
    return Card(
        index,
        plain.line(ask("nvmlDeviceGetName") or "GPU", 40),
        uuid,
        None if busy is None else busy.gpu / 100,
        None if memory is None else int(memory.used),
        None if memory is None else int(memory.total),
        ask("nvmlDeviceGetTemperature", nvml.NVML_TEMPERATURE_GPU),
        None if power is None else power / 1000,
    )


def _told(ask: Callable[[], Any], *errors: type[Exception]) -> Any:
    """What a question answers; None where the system has no answer to it."""
    try:
        return ask()
    except (OSError, RuntimeError, AttributeError, ValueError, *errors):
        return None


def _disk(runs: Path) -> tuple[int, int]:
    """Used and total bytes of the file system of a folder, or of the nearest above it that exists. Raises OSError."""
    there = next(path for path in (runs, *runs.parents) if path.exists())
    about = shutil.disk_usage(there)
    return about.total - about.free, about.total


# Trails and lines


@dataclass
class Trails:
    """The last values of every meter, as shares of 1; None where one was not known."""

    of: dict[str, deque[float | None]] = field(default_factory=dict)

    def add(self, sample: Sample) -> None:
        values = {"cpu": sample.cpu, "memory": share(sample.memory), "disk": share(sample.disk)}
        for card in sample.cards:
            values[f"busy {card.index}"] = card.busy
            values[f"used {card.index}"] = share((card.used, card.total))
        for name, value in values.items():
            self.of.setdefault(name, deque(maxlen=REMEMBERED)).append(value)

    def gap(self) -> None:
        """Nobody looked for a while."""
        for trail in self.of.values():
            if trail[-1] is not None:
                trail.append(None)

    def drawn(self, name: str, width: int) -> str:
        """The end of a trail as so many blocks, the latest at the right: ` ▁▁▂▅█`."""
        last = list(self.of.get(name, ()))[-width:] if width > 0 else []
        return "".join(map(block, last)).rjust(max(width, 0))


def share(pair: tuple[int | None, int | None] | None) -> float | None:
    """Used of total, from 0 to 1."""
    used, total = pair or (None, None)
    return None if used is None or not total else min(max(used / total, 0.0), 1.0)


def block(value: float | None) -> str:
    """A share as one block of eight heights; a gap where it is not known."""
    return " " if value is None else BLOCKS[min(int(min(max(value, 0.0), 1.0) * 8), 7)]


def lines(sample: Sample, trails: Trails, width: int, folder: str = "") -> list[list[Piece]]:
    """One line a meter, none wider than `width`: a trail, the number now, and in words what it is of.

    Where there is little room the words go first, then the trails; the label and the number stay.
    """
    trail = 0 if width < 34 else 8 if width < 76 else min(8 + (width - 76) // 3, 40)
    made: list[list[Piece]] = []
    if sample.no_gpu is not None:
        made.append(_fitted([_label("GPU"), (sample.no_gpu, "dim")], width))
    made += [_card_line(card, trails, width, trail) for card in sample.cards]
    cores = "" if sample.cores is None else f"{sample.cores} core{'' if sample.cores == 1 else 's'}"
    made.append(_line("CPU", "cpu", sample.cpu, [cores], trails, width, trail))
    made.append(_line("memory", "memory", share(sample.memory), [_gib(sample.memory)], trails, width, trail))
    free = [] if sample.disk is None else [f"{(sample.disk[1] - sample.disk[0]) / GIB:,.1f} GiB free", folder]
    made.append(_line("disk", "disk", share(sample.disk), free, trails, width, trail))
    return made


def _card_line(card: Card, trails: Trails, width: int, trail: int) -> list[Piece]:
    busy, used = f"busy {card.index}", f"used {card.index}"
    pieces = [_label(f"GPU {card.index}"), (_trail(trails, busy, trail), "live"), _percent(card.busy)]
    words = [] if card.celsius is None else [f"{card.celsius} °C"]
    words += [] if card.watts is None else [f"{card.watts:.0f} W"]
    memory = _gib((card.used, card.total)) or "memory unknown"
    second = [("  ", ""), (_trail(trails, used, trail), "accent"), (memory, "")]
    tail = [(f"  {word}", "dim") for word in words]
    if width >= 110:
        tail.append((f"  {card.name}", "dim"))
    return _fitted([*pieces, *second, *tail], width)


def _line(
    label: str, name: str, value: float | None, words: list[str], trails: Trails, width: int, trail: int
) -> list[Piece]:
    full = [(f"  {word}", "dim") for word in words if word]
    tone = "bad" if name == "disk" and value is not None and value > 0.95 else ""
    return _fitted([_label(label), (_trail(trails, name, trail), "live"), _percent(value, tone), *full], width)


def _label(text: str) -> Piece:
    return f"{text:<8}", "dim"


def _trail(trails: Trails, name: str, width: int) -> str:
    return f"{trails.drawn(name, width)} " if width else ""


def _percent(value: float | None, tone: str = "") -> Piece:
    return ("   –  " if value is None else f"{100 * value:3.0f} % ", tone)


def _gib(pair: tuple[int | None, int | None] | None) -> str:
    used, total = pair or (None, None)
    return "" if used is None or total is None else f"{used / GIB:,.1f} of {total / GIB:,.1f} GiB"


def _fitted(pieces: list[Piece], width: int) -> list[Piece]:
    """The pieces from the left that fit whole; the very first is cut where even it does not."""
    kept: list[Piece] = []
    for text, tone in pieces:
        if cell_len(text.rstrip()) > width:
            break
        kept.append((text, tone))
        width -= cell_len(text)
    return kept or [(pieces[0][0][: max(width, 0)], pieces[0][1])]
