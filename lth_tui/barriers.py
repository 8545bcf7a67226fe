"""What `lth show` prints of a stability run: its networks with their error barriers, and the error along the line."""

from typing import Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from lth_tui import chart, tables
from lth_tui.screens.words import number, share


def shown(networks: list[dict[str, Any]], width: int) -> list[RenderableType]:
    """The table, what its numbers are, and the chart, from `lth show --json`."""
    note = "accuracies of the copies in %, barriers in points, mean ± standard deviation over seeds"
    return ["", _table(networks), tables.text(note, tables.QUIET), "", *line(networks, width)]


def _table(networks: list[dict[str, Any]]) -> Table:
    columns = ("sparsity %", "validation", "test", "error barrier")
    made = tables.table("network", *columns, "", right=columns)
    made.columns[0].no_wrap = True
    for place, one in enumerate(networks):
        marker, colour = chart.style_of(place)
        stable = {True: ("stable", "green"), False: ("not stable", "yellow")}.get(one["stable"], ("diverged", "red"))
        made.add_row(
            Text(f"{marker} {_name(one)}", style=colour),
            tables.percent(one["sparsity"]),
            *(tables.spread(_means(one[name])) for name in ("valid_accuracy", "test_accuracy")),
            Text(tables.spread(one["barrier"]), style="bold"),
            Text(*stable),
        )
    return made


def _name(one: dict[str, Any]) -> str:
    return "dense" if one["round"] == 0 else f"ticket, round {one['round']}"


def _means(copies: list[Any]) -> list[float | None]:
    """Of each seed the mean of its copies."""
    return [chart.mean(both) if isinstance(both, list) and both else None for both in copies]


def curves(networks: list[dict[str, Any]]) -> list[chart.Curve]:
    """The mean validation error over seeds along the line, a curve a network."""
    found = []
    for one in networks:
        of_seeds = [errors for errors in one["errors"] if isinstance(errors, list)]
        at = [[share(error) for error in errors] for errors in zip(*of_seeds, strict=False)]
        pairs = zip(map(number, one["alphas"]), map(chart.mean, at), strict=False)
        found.append(chart.Curve(_name(one), tuple((x, y) for x, y in pairs if x is not None and y is not None)))
    return found


def line(networks: list[dict[str, Any]], width: int, height: int = 16) -> list[Text]:
    """These curves as a chart, in lines; none where no line is known."""
    return [Text.assemble(*pieces) for pieces in chart.draw(curves(networks), None, width, height, axis=chart.LINE)]
