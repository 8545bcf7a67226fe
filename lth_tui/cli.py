"""Everything headless: the `lth` command. Results go to standard output, words to standard error.

Heavy imports stay inside the commands that need them, so that `lth --help` and `lth ls` answer at once.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from engine.errors import BadInput

DONE, FAILED, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130


class _Group(TyperGroup):
    """Turns what went wrong into one sentence and an exit code, wherever in a command it was noticed."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except BadInput as error:
            _say(f"{error}", "red")
            raise typer.Exit(BAD_INPUT) from None
        except KeyboardInterrupt:
            raise typer.Exit(INTERRUPTED) from None
        except BrokenPipeError:  # `lth ls | head`
            sys.stderr.close()
            raise typer.Exit(DONE) from None
        except OSError as error:
            _say(f"{error.filename or 'this machine'}: {error.strerror or error}.", "red")
            raise typer.Exit(FAILED) from None


class _RunCommand(TyperCommand):
    """`lth run --help` lists every path that --set takes, from the spec itself."""

    def format_epilog(self, _: Any, formatter: Any) -> None:
        from engine import spec as specs
        from lth_tui import tables

        made = tables.table("--set key", "default", "meaning")
        for path, (default, meaning) in specs.settable().items():
            made.add_row(path, default, tables.text(meaning, tables.QUIET))
        console = tables.out()
        with console.capture() as captured:
            console.print(made)
        formatter.write("\n" + captured.get())


app = typer.Typer(
    cls=_Group,
    name="lth",
    help="A terminal laboratory for lottery tickets in text classification. `lth` alone opens the app.",
    no_args_is_help=False,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
data_app = typer.Typer(cls=_Group, help="Datasets on this machine.", no_args_is_help=True, rich_markup_mode=None)
schedules_app = typer.Typer(cls=_Group, help="Pruning schedules.", rich_markup_mode=None)
app.add_typer(data_app, name="data")
app.add_typer(schedules_app, name="schedules")

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of words.")]
Run = Annotated[str, typer.Argument(metavar="RUN", help="Any unique part of a run's id, or @last.")]


def main() -> None:
    """The `lth` command."""
    app()


@app.callback(invoke_without_command=True)
def lth(
    ctx: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    if version:
        from engine import __version__

        typer.echo(__version__)
        raise typer.Exit
    if ctx.invoked_subcommand is None:
        if not (sys.stdin.isatty() and sys.stdout.isatty()):
            raise BadInput("lth: the app needs a terminal; `lth --help` lists what works without one.")
        from lth_tui.app import run_app

        run_app()


# Start


@app.command()
def demo(
    seeds: Annotated[int, typer.Option(help="Replicates; a verdict needs 3.")] = 3,
    json: Json = False,
) -> None:
    """The main job on the built-in corpus, in about two minutes: train, prune, rewind, compare."""
    from engine import catalog
    from engine import spec as specs

    spec = specs.compose("cnn", "pydoc", "imp", seeds=seeds, settings=dict(catalog.DEMO))
    _say(
        "A lottery-ticket experiment on the docstrings of Python's own library: which part of it does a paragraph\n"
        f"document? A smaller setting than `lth run -m cnn -d pydoc`: {spec.data.train_size:,} training texts, "
        f"{spec.model.embedding_dim}-d words, {spec.model.filters} filters a width.\n"  # type: ignore[attr-defined]
        "It shows what a winning ticket looks like; it does not prove one."
    )
    code = _launch(spec, detach=False, json=json)
    if code == DONE and not json:
        _say(
            "\nShown, not proven: the demo is small. Next:\n"
            "  lth                          the app: choose, launch, watch\n"
            "  lth run -m cnn -d pydoc      the full built-in experiment\n"
            "  lth data import ag_news DIR  bring a real dataset, then: lth run -m cnn -d ag_news\n"
            "  lth show @last --json        every number of this run"
        )
    raise typer.Exit(code)


@app.command(cls=_RunCommand)
def run(
    model: Annotated[str, typer.Option("--model", "-m", metavar="NAME", help="See `lth models`.")],
    dataset: Annotated[str, typer.Option("--dataset", "-d", metavar="NAME", help="See `lth datasets`.")],
    schedule: Annotated[str, typer.Option("--schedule", "-s", metavar="NAME", help="See `lth schedules`.")] = "imp",
    arm: Annotated[
        list[str] | None,
        typer.Option("--arm", "-a", metavar="NAME", help="See `lth arms`; give it again for more.  [default: all]"),
    ] = None,
    seeds: Annotated[int, typer.Option(help="Replicates: seeds 0, 1, ...; a verdict needs 3.")] = 3,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Any setting of the spec; listed below.")
    ] = None,
    detach: Annotated[bool, typer.Option("--detach", help="Return once the engine works.")] = False,
    json: Json = False,
) -> None:
    """Launch a run. The engine is always detached; Ctrl-C asks it to stop, a lost terminal leaves it running."""
    from engine import spec as specs

    spec = specs.compose(model, dataset, schedule, arm, seeds, dict(specs.parse_settings(set_ or [])))
    raise typer.Exit(_launch(spec, detach, json))


@app.command()
def resume(
    run: Run,
    detach: Annotated[bool, typer.Option("--detach", help="Return once the engine works.")] = False,
    json: Json = False,
) -> None:
    """Go on with a stopped, failed or orphaned run from its last finished round."""
    from engine import spec as specs
    from engine.record import rundir

    found = _find(run)
    state = rundir.state(found)
    if state == "finished":
        raise BadInput(f"run: {found.name} is finished; there is nothing to resume. `lth show {found.name}` shows it.")
    if state in rundir.ACTIVE:
        raise BadInput(f"run: {found.name} is {state}; follow it with `lth watch {found.name}`.")
    specs.load(found / "spec.json")
    raise typer.Exit(_start(found, detach, json))


def _launch(spec: Any, detach: bool, json: bool) -> int:
    from engine.places import runs_root
    from engine.process import launch
    from engine.record import pace
    from lth_tui import tables

    with tables.words().status("Preparing", spinner="line") as status:
        made = launch.new_run(runs_root(), spec, lambda words: status.update(f"Preparing: {words} (once)"))
    cost = pace.seconds_an_epoch(runs_root(), spec.model_dump(mode="json"))
    trainings, epochs = spec.trainings, spec.training.epochs
    about = "no estimate yet" if cost is None else f"about {tables.duration(cost * epochs * trainings)} on this machine"
    _say(f"{trainings} trainings of at most {epochs} epochs: {about}.", tables.QUIET)
    return _start(made, detach, json)


def _start(made: Path, detach: bool, json: bool) -> int:
    from engine.process import launch
    from engine.record import history

    try:
        launch.start(made)
    except launch.LaunchFailed as error:
        _say(f"{made.name} did not start: {error}", "red")
        return FAILED
    finally:
        history.fold(made.parent, made)
    if detach:
        _out({"id": made.name} if json else made.name)
        _say(f"The engine works on its own now. Follow it: lth watch {made.name}")
        return DONE
    return _attend(made, json)


def _attend(made: Path, json: bool) -> int:
    """Follow a run that we started to its end, then show it."""
    from engine.record import history, rundir, summary
    from lth_tui import tables
    from lth_tui.follow import follow

    _say(f"{made.name}", "bold")
    try:
        state = follow(made, tables.words(), stop_on_interrupt=True)
    except KeyboardInterrupt:
        _say(f"The engine is still stopping; look with: lth show {made.name}")
        return INTERRUPTED
    history.fold(made.parent, made)
    shown = summary.show(made)
    if json:
        _out(shown)
    elif state == "finished":
        console = tables.out()
        console.print(tables.run(shown, console.width))
    if state == "finished":
        return DONE
    if state == "failed":
        _say(f"The run failed: {shown['cause']}.", "red")
        return BAD_INPUT if rundir.read_status(made).get("bad_input") else FAILED
    _say(f"The run is {state}; its finished rounds are kept. Go on with: lth resume {made.name}", "yellow")
    return INTERRUPTED if state == "stopped" else FAILED


# The menu


@app.command()
def models(json: Json = False) -> None:
    """The models, their settings and defaults."""
    rows = [
        {
            "name": card.name,
            "title": card.title,
            "settings": {setting.name: setting.default for setting in card.settings},
            "citation": card.citation,
        }
        for card in _catalog().MODELS.values()
    ]

    def told(row: dict[str, Any]) -> list[str]:
        settings = ", ".join(f"{name} {_plain(value)}" for name, value in row["settings"].items())
        return [row["title"], settings, row["citation"]]

    _menu(rows, told, json)


@app.command()
def datasets(json: Json = False) -> None:
    """The datasets, their classes and sizes, and whether they are here."""
    from engine.data import store

    rows = []
    for entry in store.listing():
        card = _catalog().DATASETS[entry["name"]]
        known = {"train": entry["train"] or card.train, "test": entry["test"] or card.test}
        rows.append(entry | known | {"licence": card.licence, "source": card.source, "citation": card.citation})

    def told(row: dict[str, Any]) -> list[str]:
        here = "here" if row["here"] else f"not here; bring it with: lth data import {row['name']} PATH"
        counts = f"{row['train']:,} texts to train on, {row['test']:,} to test on; {here}"
        classes = f"{len(row['classes'])} classes: {', '.join(row['classes'])}"
        return [row["title"], counts, classes, f"{row['source']}; {row['licence']}", row["citation"]]

    _menu(rows, told, json)


@schedules_app.callback(invoke_without_command=True)
def schedules(ctx: typer.Context, json: Json = False) -> None:
    """The pruning schedules; `lth schedules show NAME` draws one."""

    def told(row: dict[str, Any]) -> list[str]:
        ladder = f"{row['rounds']} rounds at rate {row['rate']}, up to {100 * row['ladder'][-1]:.1f} % sparsity"
        return [row["title"], f"{ladder}; rewinds to {row['rewind']}", row["citation"]]

    if ctx.invoked_subcommand is None:
        _menu([_schedule(name) for name in _catalog().SCHEDULES], told, json)


@schedules_app.command("show")
def schedules_show(name: str, json: Json = False) -> None:
    """Draw the ladder of sparsities a schedule visits."""
    from lth_tui import tables

    catalog = _catalog()
    row = _schedule(catalog.card("schedule", catalog.SCHEDULES, name).name)
    if json:
        return _out(row)
    console = tables.out()
    console.print(tables.text(f"{row['name']}: {row['title']}", "bold"))
    console.print(tables.text(f"{row['criterion']}, {row['scope']}, prunes {', '.join(row['prunable'])}", tables.QUIET))
    room = max(10, min(60, console.width - 24))
    for number, sparsity in enumerate(row["ladder"]):
        kept = round(room * (1 - sparsity))
        bar = "█" * kept + "░" * (room - kept)
        console.print(tables.text(f"{number:>3}  {100 * sparsity:5.1f} %  {bar}"))
    return None


def _schedule(name: str) -> dict[str, Any]:
    from dataclasses import asdict

    card = _catalog().SCHEDULES[name]
    ladder = [1 - (1 - card.rate) ** number for number in range(card.rounds + 1)]
    return asdict(card) | {"prunable": list(card.prunable), "ladder": ladder}


@app.command()
def arms(json: Json = False) -> None:
    """The arms: what is done with the mask in a round, and what each tells."""
    rows = [{"name": c.name, "title": c.title, "question": c.question} for c in _catalog().ARMS.values()]
    _menu(rows, lambda row: [row["title"], row["question"]], json)


# Data


@data_app.command("import")
def data_import(name: str, path: Path, json: Json = False) -> None:
    """Check a dataset's files, wholly and first, then copy them to where datasets are kept."""
    from dataclasses import asdict

    from engine.data import store
    from lth_tui import plain

    summary = store.import_dataset(name, path)
    if json:
        return _out(asdict(summary))
    train, test = sum(summary.train.values()), sum(summary.test.values())
    _say(f"{name}: {train:,} training and {test:,} test texts of {len(summary.train)} classes are in {summary.folder}.")
    if summary.note:
        _say(plain.line(summary.note), "yellow")
    _say(f"Use it with: lth run -m cnn -d {name}")
    return None


@data_app.command("ls")
def data_ls(json: Json = False) -> None:
    """What is here, and where."""
    from engine.data import store

    def told(row: dict[str, Any]) -> list[str]:
        counts = "" if row["train"] is None else f"{row['train']:,} + {row['test']:,} texts"
        size = "" if row["bytes"] is None else f"{row['bytes'] / 1e6:.1f} MB"
        here = row["folder"] or "built in"
        place = here if row["here"] else f"not here; bring it with: lth data import {row['name']} PATH"
        return [", ".join(filter(None, [place, counts, size])), row["note"]]

    _menu(store.listing(), told, json)


# Look


@app.command()
def ls(
    json: Json = False,
    limit: Annotated[int, typer.Option("--limit", "-n", min=0, help="Show so many; 0 shows all.")] = 0,
) -> None:
    """The runs, newest first."""
    from engine.places import runs_root
    from engine.record import history

    found, notice = history.refresh(runs_root())
    if notice:
        _say(notice, "yellow")
    found = found[: limit or None]
    if json:
        return _out(found)
    if not found:
        return _say("No runs yet. Start one with: lth demo")
    from lth_tui import tables

    return tables.out().print(tables.runs(found))


@app.command()
def show(run: Run, json: Json = False) -> None:
    """One run: its rounds, its chart, its verdict."""
    from engine.record import summary

    shown = summary.show(_find(run))
    if json:
        return _out(shown)
    from lth_tui import tables

    console = tables.out()
    return console.print(tables.run(shown, console.width))


@app.command()
def watch(run: Run, json: Json = False) -> None:
    """Follow a run to its end; Ctrl-C ends the following, not the run. With --json, its events as they come."""
    from engine.record import rundir

    found = _find(run)
    if json:
        return _stream(found)
    from engine.record import summary
    from lth_tui import tables
    from lth_tui.follow import follow

    try:
        if rundir.state(found) in (*rundir.ACTIVE, "queued"):
            follow(found, tables.words(), stop_on_interrupt=False)
    except KeyboardInterrupt:
        _say(f"\nThe run goes on. Look again with: lth watch {found.name}")
        raise typer.Exit(INTERRUPTED) from None
    console = tables.out()
    return console.print(tables.run(summary.show(found), console.width))


def _stream(found: Path) -> None:
    import time

    from engine.record import events, rundir

    offset = 0
    while True:
        alive = rundir.state(found) in (*rundir.ACTIVE, "queued")  # before reading, so that nothing is missed
        tail = events.read(found / events.FILE, offset)
        offset = tail.offset
        for event in tail.events:
            _out(event, indent=False)
        if not alive:
            return
        time.sleep(0.5)


@app.command()
def logs(
    run: Run,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="The last so many; 0 prints all.")] = 100,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on printing as the engine writes.")] = False,
) -> None:
    """What the engine wrote to its log."""
    import time

    from engine.record import rundir
    from lth_tui import plain

    found = _find(run)
    path = found / "engine.log"
    if not path.exists():
        return _say(f"{found.name} has no log yet.")
    with path.open(encoding="utf-8", errors="replace") as log:
        text = log.read()
        kept = text.splitlines()[-lines:] if lines else text.splitlines()
        if kept:
            typer.echo(plain.lines("\n".join(kept), most=10_000_000))
        elif not follow:
            _say(f"The log of {found.name} is empty.")
        while follow and rundir.state(found) in (*rundir.ACTIVE, "queued"):
            if more := log.read():
                typer.echo(plain.lines(more, most=10_000_000), nl=False)
            time.sleep(0.5)
    return None


# Act


@app.command()
def stop(
    run: Run,
    now: Annotated[bool, typer.Option("--now", help="Kill the engine instead of asking; the round is lost.")] = False,
) -> None:
    """Ask a run's engine to stop; what is finished stays."""
    import time

    from engine.process import launch
    from engine.record import history, rundir
    from lth_tui import tables

    found = _find(run)
    state = rundir.state(found)
    if state not in rundir.ACTIVE:
        raise BadInput(f"run: {found.name} is {state}, not running; `lth ls` shows what runs.")
    if not launch.ask_to_stop(found, now):
        raise BadInput(f"run: the engine of {found.name} is not a process of this machine's that may be signalled.")
    with tables.words().status("Stopping", spinner="line"):
        deadline = time.monotonic() + 30
        while rundir.holder(found) is not None and time.monotonic() < deadline:
            time.sleep(0.05)
    history.fold(found.parent, found)
    if rundir.holder(found) is not None:
        _say(f"{found.name} has not stopped within 30 s; `lth stop --now {found.name}` kills it.", "yellow")
        raise typer.Exit(FAILED)
    _say(f"{found.name} is {rundir.state(found)}. Go on with: lth resume {found.name}")


@app.command()
def rm(
    run: Run,
    undo: Annotated[bool, typer.Option("--undo", help="Bring a removed run back.")] = False,
) -> None:
    """Move a run to the trash of the runs folder; --undo brings it back."""
    from engine.places import runs_root
    from engine.record import history, rundir

    if undo:
        found = rundir.restore(runs_root(), run)
        history.fold(found.parent, found)
        return _say(f"{found.name} is back.")
    found = _find(run)
    rundir.trash(found)
    history.fold(found.parent, found)
    return _say(f"{found.name} is removed. Bring it back with: lth rm --undo {found.name}")


@app.command()
def reindex() -> None:
    """Rebuild the history from the run directories."""
    from engine.places import runs_root
    from engine.record import history

    count = history.reindex(runs_root())
    _say(f"The history holds {count} run{'' if count == 1 else 's'} again.")


# Printing


def _catalog() -> Any:
    from engine import catalog

    return catalog


def _find(text: str) -> Path:
    from engine.places import runs_root
    from engine.record import rundir

    return rundir.find(runs_root(), text)


def _menu(rows: list[dict[str, Any]], told: Callable[[dict[str, Any]], list[str]], json: bool) -> None:
    """Rows as JSON, or as names with what is told of each: a line, then quieter ones."""
    if json:
        return _out(rows)
    from lth_tui import tables

    return tables.out().print(tables.cards([(row["name"], told(row)) for row in rows]))


def _plain(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _out(value: Any, indent: bool = True) -> None:
    """One result on standard output: a string as it is, anything else as JSON."""
    if isinstance(value, str):
        return typer.echo(value)
    import orjson

    return typer.echo(orjson.dumps(value, option=orjson.OPT_INDENT_2 if indent else 0).decode())


def _say(words: str, style: str = "") -> None:
    """Words for the person, on standard error, foreign text in them made safe."""
    from lth_tui import plain

    colour = {"red": "red", "yellow": "yellow", "bright_black": "bright_black"}.get(style)
    typer.secho(plain.lines(words), fg=colour, bold=style == "bold", err=True)


if __name__ == "__main__":
    main()
