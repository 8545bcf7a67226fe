"""The `lth` command: everything headless, and the app at one of its places. Results go to stdout, words to stderr.

Heavy imports stay inside the commands that need them, so that `lth --help` and `lth ls` answer at once.
"""

import sys
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from engine.errors import BadInput, unknown
from engine.record import modes
from lth_tui import output
from lth_tui.__main__ import at_a_terminal
from lth_tui.commands import act, ask, cache, compare, data, doctor, keys, look, menu, pretrain, start
from lth_tui.commands import queue as queuing
from lth_tui.commands import sweep as sweeping

_UsageError: Any = typer.BadParameter.__base__  # what the parser raises; typer does not name it itself


class _Group(TyperGroup):
    """Turns what went wrong into one sentence and an exit code, wherever in a command it was noticed."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except BadInput as error:
            output.say(f"{error}", "red")
            raise typer.Exit(output.BAD_INPUT) from None
        except _UsageError as error:
            raise _said(error) from None
        except KeyboardInterrupt:
            raise typer.Exit(output.INTERRUPTED) from None
        except BrokenPipeError:  # `lth ls | head`
            output.nobody_reads()
            raise typer.Exit(output.DONE) from None
        except OSError as error:
            output.say(f"{error.filename or 'this machine'}: {error.strerror or error}.", "red")
            raise typer.Exit(output.FAILED) from None

    def make_context(self, *args: Any, parent: Any = None, **more: Any) -> Any:
        """What is wrong before any command, too; below a group its `invoke` hears of it."""
        try:
            return super().make_context(*args, parent=parent, **more)
        except _UsageError as error:
            if parent is not None:
                raise
            raise _said(error) from None


def _said(error: Any) -> typer.Exit:
    """What the parser noticed, said in one sentence; and how to leave."""
    path = error.ctx.command_path if error.ctx else "lth"
    output.say(f"{path}: {error.format_message().rstrip('.?')}; `{path} --help` shows what it takes.", "red")
    return typer.Exit(output.BAD_INPUT)


app = typer.Typer(
    cls=_Group,
    name="lth",
    help="A terminal laboratory for lottery tickets in text classification. `lth` alone opens the app.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
schedules = typer.Typer(cls=_Group, rich_markup_mode=None)
schedules.callback(invoke_without_command=True)(menu.schedules)
schedules.command("show")(menu.schedules_show)
datasets = typer.Typer(cls=_Group, help="Datasets on this machine.", no_args_is_help=True, rich_markup_mode=None)
datasets.command("import")(data.data_import)
datasets.command("fetch")(data.data_fetch)
datasets.command("ls")(data.data_ls)
datasets.command("show")(data.data_show)
queue = typer.Typer(cls=_Group, rich_markup_mode=None)
queue.callback(invoke_without_command=True)(queuing.see)
queue.command("move")(queuing.move)
queue.command("pause")(queuing.pause)
queue.command("go")(queuing.go)
queue.command("slots", context_settings={"ignore_unknown_options": True})(queuing.slots)  # -1 is a number
dense = typer.Typer(cls=_Group, help="Dense rounds that runs share.", no_args_is_help=True, rich_markup_mode=None)
dense.command("ls")(cache.cache_ls)
dense.command("clear")(cache.cache_clear)

app.command()(start.demo)
app.command(cls=start.RunCommand)(start.run)
app.command()(start.resume)
app.command()(start.extend)
app.command()(ask.transfer)
app.command()(ask.stability)
app.command(cls=sweeping.SweepCommand)(sweeping.sweep)
app.command()(pretrain.pretrain)
app.command()(menu.models)
app.command()(menu.datasets)
app.add_typer(schedules, name="schedules")
app.command()(menu.arms)
app.add_typer(datasets, name="data")
app.add_typer(dense, name="cache")
app.add_typer(queue, name="queue")
for command in (
    look.ls, look.show, look.watch, look.logs, compare.compare, act.stop, act.note, act.rm, act.reindex, doctor.doctor,
    keys.keys,
):  # fmt: skip
    app.command()(command)


def main() -> None:
    """The `lth` command."""
    modes.guard()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # a locale without our signs gets question marks, no traceback
    app()


@app.callback(invoke_without_command=True)
def lth(
    ctx: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
    screen: Annotated[str | None, typer.Option("--screen", metavar="PLACE", help="Open the app there.")] = None,
    run: Annotated[
        str | None, typer.Option("--run", metavar="RUN", help="Open the app at a run: its id or @last.")
    ] = None,
    fast: Annotated[bool, typer.Option("--fast", help="The app looks four times a second, not once.")] = False,
) -> None:
    if version:
        from engine import __version__

        typer.echo(__version__)
        raise typer.Exit
    if ctx.invoked_subcommand is not None:
        _refuse_beside(ctx.invoked_subcommand, {"--screen": screen, "--run": run, "--fast": fast or None})
    else:
        place, found = _opening(screen, run)
        if not at_a_terminal():
            raise BadInput("lth: the app needs a terminal; `lth --help` lists what works without one.")
        from lth_tui.app import run_app

        run_app(place, found, fast)


def _refuse_beside(command: str, options: dict[str, Any]) -> None:
    """BadInput where an option of the app was given before a command."""
    if given := next((option for option, value in options.items() if value is not None), None):
        raise BadInput(f"{given}: is of the app, and the command {command} was given too; give one of them.")


def _opening(screen: str | None, run: str | None) -> tuple[str | None, Path | None]:
    """Where the app is to open: a place, or a run. Raises BadInput."""
    from lth_tui.keys import PLACES

    if screen is not None and run is not None:
        raise BadInput("--screen, --run: both given; give one of them.")
    if screen is not None and screen not in PLACES:
        raise unknown("--screen", screen, PLACES)
    return screen, None if run is None else output.find(run)


if __name__ == "__main__":
    main()
