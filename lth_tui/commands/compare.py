"""The command that holds runs against one another: compare."""

from typing import Annotated

import typer

from engine.errors import BadInput, unknown
from lth_tui import output


def compare(
    runs: Annotated[
        list[str], typer.Argument(metavar="RUN RUN...", help="Two runs or more; the first is the baseline.")
    ],
    metric: output.Metric = "accuracy",
    arm: Annotated[str | None, typer.Option("--arm", "-a", help="Compare this arm alone; dense is one, too.")] = None,
    json: output.Json = False,
    csv: output.Csv = False,
) -> None:
    """Runs against the first of them, by sparsity.

    Differences with intervals, and the settings that differ.
    """
    output.refuse_both(json, csv)
    from engine import comparison
    from lth_tui import one_run, tables

    if len(runs) < 2:
        raise BadInput(f"run: only {runs[0]!r} given; name two runs or more, the baseline first.")
    found = [output.find(run) for run in runs]
    for place, run in enumerate(found):
        if run in found[:place]:
            before = runs[found.index(run)]
            raise BadInput(f"run: {before!r} and {runs[place]!r} are the same run, {run.name}; name each once.")
    if metric not in one_run.METRICS:
        raise unknown("--metric", metric, one_run.METRICS)
    shown = [output.shown(run) for run in found]
    if arm is not None and arm not in (known := comparison.arms_of(shown)):
        raise unknown("--arm", arm, known)
    compared = comparison.compare(shown, one_run.METRICS[metric][0], arm)
    if json:
        return output.out(compared)
    if csv:
        from lth_tui import sheet

        return typer.echo(sheet.comparison(compared), nl=False)
    from lth_tui import comparison as words

    console = tables.out()
    width = console.width if console.is_terminal else None
    return console.print(words.report(compared, shown, metric, arm, width))
