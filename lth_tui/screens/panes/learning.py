"""How the networks of one round learn: validation accuracy, or loss, against the epoch."""

from dataclasses import replace

from engine.record import summary
from lth_tui import chart
from lth_tui.chart import Axis, Curve
from lth_tui.screens import words
from lth_tui.screens.follow import Look, Point

_DENSE = ("■", "white")
ACCURACY = Axis(lambda epoch: epoch, "{:g}".format, (), room=chart.steady)
LOSS = Axis(lambda epoch: epoch, "{:g}".format, (), "{:5.3g}".format, room=chart.steady)
_MOST = 10_000  # epochs that are given a place before they have come


def drawing(look: Look, number: int | None, metric: str) -> tuple[list[Curve], Axis]:
    """The curves of a round, each arm in its own style, the dense network's beside them; and how they are drawn.

    Of the round that is trained now only the seed that is trained is shown, and all its epochs have their place;
    otherwise means over the seeds.
    """
    loss = metric == "cross-entropy"
    arms = summary.arms_of(look.view["spec"])
    seed = _training(look, number)
    curves = [Curve(arm, _points(look, number, arm, seed, loss), chart.style_of(at)) for at, arm in enumerate(arms)]
    dense = Curve("dense", _points(look, 0, "dense", seed, loss), _DENSE)
    axis, epochs = LOSS if loss else ACCURACY, look.status.get("epochs")
    if seed is not None and type(epochs) is int and 1 < epochs <= _MOST:
        axis = replace(axis, ends=(1.0, float(epochs)))
    return [*curves, dense], axis


def _training(look: Look, number: int | None) -> int | None:
    """The seed whose networks of this round are trained now."""
    seed = look.status.get("seed")
    return seed if number is not None and number == look.now and type(seed) is int else None


def _points(look: Look, number: int | None, arm: str, seed: int | None, loss: bool) -> tuple[tuple[float, float], ...]:
    found: dict[int, list[float]] = {}
    for (of_seed, of_arm), points in look.learned.get(number if number is not None else -1, {}).items():
        if of_arm == arm and seed in (None, of_seed):
            for point in points:
                if (value := _value(point, loss)) is not None:
                    found.setdefault(point.epoch, []).append(value)
    return tuple((float(epoch), sum(values) / len(values)) for epoch, values in sorted(found.items()))


def _value(point: Point, loss: bool) -> float | None:
    return point.loss if loss else point.accuracy


def title(look: Look, number: int | None, metric: str) -> str:
    """Which networks these are, and what is drawn of them."""
    what = ("validation cross-entropy" if metric == "cross-entropy" else "validation accuracy %") + " by epoch"
    seeds = {seed for seed, _ in look.learned.get(-1 if number is None else number, {})}
    if number is None:
        return what
    of = f"seed {seed}" if (seed := _training(look, number)) is not None else words.count(len(seeds), "seed")
    return f"{what} · {'dense' if number == 0 else f'round {number}'}{(seeds and f', {of}') or ''}"
