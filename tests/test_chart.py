"""The chart: inside its frame whatever the data, with every point and the dense level to be seen."""

import math
from itertools import pairwise

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from rich.cells import cell_len

from lth_tui import chart
from lth_tui.chart import Curve

NAMES = ["ticket", "reinit", "shuffle", "same-sign", "finetune", "lr-rewind", "random", "reinit-own", "small-dense"]
LADDER = tuple(1 - 0.8**number for number in range(1, 11))
fractions = st.floats(0, 1)
points = st.lists(st.tuples(fractions, fractions), max_size=12).map(lambda found: tuple(sorted(found)))


@st.composite
def curves(draw, at=points):
    return [Curve(name, draw(at)) for name in NAMES[: draw(st.integers(0, 9))]]


def text(lines: list[list[tuple[str, str]]]) -> list[str]:
    return ["".join(part for part, _ in line) for line in lines]


def plot(lines: list[list[tuple[str, str]]]) -> list[str]:
    """The lines of the chart without axis, ticks and legend."""
    return [line[7:] for line in text(lines)[:-3]]


def inside(lines, width: int, height: int, legend: bool = True) -> None:
    assert len(lines) <= height
    for line in text(lines if legend else lines[:-1]):
        assert cell_len(line) <= width


@given(curves(), st.none() | fractions, st.integers(0, 140), st.integers(0, 40))
@example([Curve("ticket", ((0.2, 0.9),))], None, 80, 16)
@example([Curve("ticket", ((0.2, 0.9), (0.36, 0.9)))], 0.9, 80, 16)
@example([Curve("ticket", ((1.0, 0.0), (1.0, 1.0)))], 0.0, 80, 16)
@example([Curve("ticket", ())], 0.5, 80, 16)
def test_it_is_never_wider_nor_higher_than_its_room(found, dense, width, height):
    inside(chart.draw(found, dense, width, height), width, height, legend=False)


def test_a_linear_reference_out_of_the_picture_stands_in_the_legend_with_its_value():
    found = [Curve("ticket", tuple((s, 0.5 - s / 10) for s in LADDER))]
    near = chart.draw(found, 0.528, 80, 16, 0.5)
    for linear, words in ((0.638, "· linear 63.8 ↑"), (0.2, "· linear 20.0 ↓")):
        lines = chart.draw(found, 0.528, 80, 16, linear)
        inside(lines, 80, 16)
        assert words in text(lines)[-1]
        assert [line[:7] for line in text(lines)] == [line[:7] for line in text(near)], "the scale is as it was"
    assert "linear 50" not in text(near)[-1]


@pytest.mark.parametrize("top", [0.30, 0.99])
def test_no_two_levels_of_the_axis_read_the_same_where_they_lie_close(top):
    lines = chart.draw([Curve("ticket", tuple((s, top - s / 1000) for s in LADDER))], None, 80, 22)
    inside(lines, 80, 22)
    levels = [line[:5] for line in text(lines) if line[6] == "┤"]
    assert len(levels) > 3
    assert len(levels) == len(set(levels))


@given(st.integers(19, 140))
@example(40)
def test_the_legend_is_never_wider_than_its_room(width):
    found = [Curve(name, tuple((s, 0.9) for s in LADDER)) for name in NAMES]
    inside(chart.draw(found, 0.9, width, 16), width, 16)


def test_the_legend_of_a_usual_run_fits_eighty_columns():
    found = [Curve(name, tuple((s, 0.9 - s / 50) for s in LADDER)) for name in NAMES[:3]]
    lines = chart.draw(found, 0.9, 80, 16)
    inside(lines, 80, 16)
    for name in ("● ticket", "○ reinit", "× shuffle", "┄ dense", "test accuracy % by sparsity %"):
        assert name in text(lines)[-1]


@pytest.mark.parametrize("where", ["accuracy", "sparsity", "dense"])
@pytest.mark.parametrize("strange", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_none_is_passed_over(where, strange):
    strange_point = (strange, 0.8) if where == "sparsity" else (0.36, strange if where == "accuracy" else 0.8)
    found = [Curve("ticket", ((0.2, 0.9), strange_point, (0.488, 0.7)))]
    lines = chart.draw(found, strange if where == "dense" else 0.85, 80, 16)
    inside(lines, 80, 16)
    assert "●" in "".join(plot(lines))


@given(curves(), st.none() | fractions, st.integers(30, 140), st.integers(8, 40))
def test_every_arm_with_a_point_shows_its_marker_unless_another_covers_it(found, dense, width, height):
    assume(any(curve.points for curve in found))
    drawn = "".join(plot(chart.draw(found, dense, width, height)))
    covering = sum(drawn.count(chart.style_of(index)[0]) for index in range(len(found)))
    assert 1 <= covering <= sum(len(curve.points) for curve in found)
    first = next(index for index, curve in enumerate(found) if curve.points)
    assert chart.style_of(first)[0] in drawn, "the first arm is drawn on top"


def test_each_point_of_curves_apart_has_its_marker():
    found = [Curve(name, tuple((s, 0.9 - index / 5) for s in LADDER)) for index, name in enumerate(NAMES[:3])]
    drawn = "".join(plot(chart.draw(found, None, 80, 20)))
    assert [drawn.count(marker) for marker in "●○×"] == [10, 10, 10]


def test_higher_accuracy_stands_higher_and_higher_sparsity_further_right():
    lines = plot(chart.draw([Curve("ticket", ((0.2, 0.9), (0.9, 0.6)))], None, 80, 16))
    (top, left), (bottom, right) = [(y, line.index("●")) for y, line in enumerate(lines) if "●" in line]
    assert top < bottom
    assert left < right


def test_the_dense_level_is_a_dotted_line_where_its_accuracy_belongs():
    found = [Curve("ticket", ((0.2, 0.95), (0.9, 0.55)))]
    lines = plot(chart.draw(found, 0.75, 80, 17))
    (level,) = [y for y, line in enumerate(lines) if "┄" in line]
    assert level == pytest.approx((len(lines) - 1) / 2, abs=1)
    assert not any("┄" in line for line in plot(chart.draw(found, None, 80, 17)))


def test_the_linear_reference_is_a_labelled_level_of_its_own_where_it_lies_among_the_others():
    found = [Curve("ticket", ((0.2, 0.95), (0.9, 0.55)))]
    lines = chart.draw(found, 0.95, 80, 17, 0.75)
    (level,) = [y for y, line in enumerate(plot(lines)) if "·" in line]
    assert level == pytest.approx((len(lines) - 4) / 2, abs=1)
    assert "· linear" in text(lines)[-1]
    assert any("┄·┄" in line for line in plot(chart.draw(found, 0.75, 80, 17, 0.75))), "equal levels are both seen"
    for away in (0.99, 0.3, math.nan, None):
        assert chart.draw(found, 0.95, 80, 17, away)[:-1] == chart.draw(found, 0.95, 80, 17)[:-1], "but the legend"


@given(curves(), st.none() | fractions, st.integers(0, 140), st.integers(0, 40), fractions)
def test_with_the_linear_reference_it_is_no_larger_and_every_marker_stays(found, dense, width, height, linear):
    drawn = chart.draw(found, dense, width, height, linear)
    inside(drawn, width, height, legend=False)
    without = plot(chart.draw(found, dense, width, height))
    assert len(plot(drawn)) == len(without)
    for line, before in zip(plot(drawn), without, strict=True):
        signs = zip(line, before, strict=True)
        assert all(one == other or (one == "·" and other not in chart.MARKERS) for one, other in signs)


def test_the_legend_with_all_levels_fits_eighty_columns():
    found = [Curve(name, tuple((s, 0.9 - s / 50) for s in LADDER)) for name in NAMES[:3]]
    lines = chart.draw(found, 0.9, 80, 16, 0.89)
    inside(lines, 80, 16)
    for name in ("● ticket", "○ reinit", "× shuffle", "┄ dense", "· linear", "accuracy by sparsity, %"):
        assert name in text(lines)[-1]


def test_rounds_of_one_rate_stand_evenly():
    lines = plot(chart.draw([Curve("ticket", tuple((s, 0.9) for s in LADDER))], 0.9, 80, 16))
    (line,) = [line for line in lines if "●" in line]
    places = [x for x, sign in enumerate(line) if sign == "●"]
    gaps = [b - a for a, b in pairwise(places)]
    assert max(gaps) - min(gaps) <= 1


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_equal_values_make_a_level_line(value):
    lines = plot(chart.draw([Curve("ticket", tuple((s, value) for s in LADDER))], value, 80, 16))
    assert sum("●" in line for line in lines) == 1


def test_without_a_pruned_round_there_is_no_chart():
    assert chart.draw([Curve("ticket", ())], 0.9, 80, 16) == []
    assert chart.draw([], None, 80, 16) == []


def test_curves_are_means_over_the_seeds_that_are_known():
    rounds = [
        {"round": 0, "sparsity": 0.0, "arms": {"dense": {"test_accuracy": [0.9, None, 0.8]}}},
        {"round": 1, "sparsity": 0.5, "arms": {"ticket": {"test_accuracy": [0.8, 0.6, None]}}},
        {"round": 2, "sparsity": 0.75, "arms": {"ticket": {"test_accuracy": [None, None, None]}, "reinit": {}}},
    ]
    (ticket, reinit), dense = chart.curves(rounds, ["ticket", "reinit"])
    assert dense == pytest.approx(0.85)
    assert ticket.points == ((0.5, pytest.approx(0.7)),)
    assert reinit.points == ()


def test_an_arm_has_one_marker_and_one_colour_of_its_own():
    styles = [chart.style_of(index) for index in range(9)]
    assert len({marker for marker, _ in styles}) == len({colour for _, colour in styles}) == 9


def test_along_a_line_places_stand_evenly_from_one_end_to_the_other():
    places = [place / 10 for place in range(11)]
    lines = chart.draw([Curve("dense", tuple((x, x) for x in places))], None, 80, 16, axis=chart.LINE)
    columns = sorted(row.index("●") for row in plot(lines) if "●" in row)
    assert (columns[0], columns[-1]) == (0, 72)
    assert all(abs((b - a) - 7.2) <= 1 for a, b in pairwise(columns))
    whole = ["".join(text for text, _ in line) for line in lines]
    assert whole[-2].split() == ["0", *(f"0.{n}" for n in range(1, 10)), "1"]
    assert "validation error %" in whole[-1]
    assert max(map(len, whole)) <= 80


@given(st.floats(-1e99, 1e99), st.floats(0, 1e99))
def test_steady_room_holds_all_and_wastes_little(low: float, more: float) -> None:
    high = low + more
    bottom, top = chart.steady(low, high)
    about = max(abs(low), abs(high)) * 1e-8
    assert bottom <= low + about
    assert top >= high - about
    assert bottom < top
    assert top - bottom <= max(3.5 * more, 0.02, 10 * about)


def test_a_growing_curve_moves_only_where_it_grows_as_long_as_it_fits() -> None:
    axis = chart.Axis(lambda epoch: epoch, "{:g}".format, (), ends=(1.0, 10.0), room=chart.steady)

    def drawn(epochs: int) -> list[str]:
        points = tuple((float(epoch), 0.9 - 0.4 / epoch) for epoch in range(1, epochs + 1))
        return plot(chart.draw([Curve("ticket", points)], None, 60, 16, axis=axis))

    before, after = drawn(6), drawn(7)
    changed = [x for was, now in zip(before, after, strict=True) for x in range(53) if was[x] != now[x]]
    assert changed
    assert min(changed) >= 52 * 5 // 9, "what stood there of the first six epochs still does"


@pytest.mark.parametrize("level", [0.0, 1e99, -1e99])
def test_one_level_however_high_is_drawn(level: float) -> None:
    for room in (chart.steady, chart.SPARSITY.room):
        axis = chart.Axis(lambda x: x, "{:g}".format, (), room=room)
        assert chart.draw([Curve("ticket", ((0.0, level), (1.0, level)))], None, 60, 16, axis=axis)
