"""The rules of the house: who may import what, what a card must hold, what a wheel contains."""

import ast
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZipFile

import pytest

from engine import catalog, defaults

ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted(path for package in ("engine", "lth_tui") for path in (ROOT / package).rglob("*.py"))
HEAVY = ("torch", "torchtext", "transformers", "datasets", "sklearn", "scipy")
# Who may import torch; a folder stands for all in it.
TORCH = (
    "engine.lottery", "engine.training", "engine.data", "engine.models", "engine.pruning", "engine.record.checkpoint",
    "engine.process.worker", "engine.process.journal", "engine.process.dense_round", "engine.process.bookmark",
    "engine.transfer", "engine.stability", "engine.telling", "engine.halfway", "engine.outcomes",
    "engine.optimisation", "engine.optimizers", "engine.evaluation",
)  # fmt: skip


def module(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imported(tree: ast.AST, top_level: bool = False) -> Iterator[str]:
    """Every module a file imports; `top_level` leaves out what is inside functions or under TYPE_CHECKING."""
    nodes = list(_run_on_import(tree)) if top_level else list(ast.walk(tree))
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "the house imports by full names"
            for alias in node.names:
                yield f"{node.module}.{alias.name}"
                yield str(node.module)


def _run_on_import(tree: ast.AST) -> Iterator[ast.AST]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        yield node
        yield from _run_on_import(node)


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def may_import_torch(name: str) -> bool:
    return any(name == one or name.startswith(f"{one}.") for one in TORCH)


def test_the_engine_knows_no_screen():
    for path in SOURCES:
        if module(path).startswith("engine"):
            screens = [
                name for name in imported(tree(path)) if name.split(".")[0] in ("lth_tui", "textual", "rich", "typer")
            ]
            assert screens == [], module(path)  # fmt: skip


def test_only_those_that_may_import_torch_do():
    for path in SOURCES:
        found = {name.split(".")[0] for name in imported(tree(path))} & {"torch", "torchtext", "transformers"}
        assert not found or may_import_torch(module(path)), f"{module(path)} imports {found}"


def test_only_those_that_may_import_torch_bring_it_in_by_what_they_import():
    imports = {module(path): set(imported(tree(path), top_level=True)) for path in SOURCES}

    def reaches(name: str, seen: set[str]) -> bool:
        if name in seen:
            return False
        seen.add(name)
        of = imports.get(name, set())
        parents = {".".join(one.split(".")[:depth]) for one in of for depth in range(1, one.count(".") + 2)}
        return any(one.split(".")[0] == "torch" for one in of) or any(
            reaches(one, seen) for one in (of | parents) & imports.keys()
        )

    for name in imports:
        if reaches(name, set()):
            assert may_import_torch(name), f"importing {name} imports torch"


def test_the_scan_sees_imports_inside_functions_and_leaves_types_out():
    source = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import a\n"
    source += "def f():\n    from b import c\nclass D:\n    import e\n"
    assert set(imported(ast.parse(source))) >= {"a", "b", "b.c", "e"}
    assert set(imported(ast.parse(source), top_level=True)) == {"typing", "typing.TYPE_CHECKING", "e"}


def loaded(code: str, *arguments: str) -> set[str]:
    """The packages in sys.modules at the end of a process of its own."""
    code = (
        "import atexit, sys\n"
        "names = lambda: sorted({name.split('.')[0] for name in sys.modules})\n"
        "atexit.register(lambda: print('LOADED', *names(), file=sys.__stderr__))\n"
        f"sys.argv = ['lth', *{list(arguments)!r}]\n{code}"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code], check=False, capture_output=True, text=True, env=environment, timeout=300
    )
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("LOADED"), done.stderr
    assert "Traceback" not in done.stderr
    return set(last.split()[1:])


@pytest.mark.parametrize("name", ["lth_tui.cli", "lth_tui.app"])
def test_importing_a_face_leaves_what_is_heavy_out(name):
    found = loaded(f"import {name}")
    assert "lth_tui" in found
    assert not found & {*HEAVY, *(("textual", "pydantic") if name == "lth_tui.cli" else ("typer",))}


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["ls"], ["ls", "--json"], ["models"], ["schedules"], ["arms"], ["show", "x"], ["watch", "x"],
     ["logs", "x"], ["compare", "x", "y"], ["stop", "x"], ["rm", "x"], ["reindex"], ["datasets"], ["run", "--help"],
     ["run", "-m", "x", "-d", "pydoc"], ["sweep", "x"], ["sweep", "--help"], ["cache", "ls"], ["cache", "clear"],
     ["queue"], ["queue", "--json"], ["queue", "move", "x", "1"],
     ["doctor"], ["doctor", "--json"],
     ["extend", "x"], ["transfer", "x", "--round", "1", "-d", "pydoc"], ["stability", "x", "--round", "1"]],
)  # fmt: skip
def test_no_command_imports_what_is_heavy_to_its_end(arguments):
    assert not loaded("from lth_tui.cli import main; main()", *arguments) & {*HEAVY, "textual"}


def test_no_command_that_launches_imports_torch_itself(news):
    arguments = ["run", "-m", "cnn", "-d", "ag_news", "--detach", "--set", "training.epochs=1000"]
    assert not loaded("from lth_tui.cli import main; main()", *arguments) & {*HEAVY, "textual"}


def test_packages_are_empty_or_lazy():
    for path in SOURCES:
        if path.name == "__init__.py":
            assert not list(imported(tree(path), top_level=True)), module(path)


CARDS = [
    *((card.name, card.build) for card in catalog.MODELS.values()),
    *((card.name, card.read) for card in catalog.DATASETS.values()),
    *((card.name, card.start) for card in catalog.ARMS.values()),
    *((card.name, card.score) for card in catalog.CRITERIA.values()),
]


@pytest.mark.parametrize(("name", "reference"), CARDS, ids=[name for name, _ in CARDS])
def test_every_card_points_at_a_function(name, reference):
    found = catalog.load(reference)
    assert callable(found), name
    assert f"{found.__module__}:{found.__name__}" == reference


def test_a_card_stands_under_its_own_name_and_a_schedule_names_a_criterion():
    for cards in (catalog.MODELS, catalog.DATASETS, catalog.SCHEDULES, catalog.ARMS, catalog.CRITERIA):
        assert all(card.name == name for name, card in cards.items())
    assert {card.criterion for card in catalog.SCHEDULES.values()} <= catalog.CRITERIA.keys()
    for model, datasets in defaults.DEFAULTS.items():
        assert model in catalog.MODELS
        assert datasets.keys() <= {defaults.ANY, *catalog.DATASETS}


@pytest.mark.parametrize(("command", "cards"), [("models", "MODELS"), ("schedules", "SCHEDULES"), ("arms", "ARMS")])
def test_a_new_card_appears_on_the_command_line_by_itself(monkeypatch, command, cards):
    from dataclasses import replace

    from typer.testing import CliRunner

    from lth_tui import cli

    menu = getattr(catalog, cards)
    one = replace(next(iter(menu.values())), name="novelty", title="brand new")
    monkeypatch.setitem(menu, "novelty", one)
    listed = CliRunner().invoke(cli.app, [command]).stdout
    assert "novelty" in listed
    assert "brand new" in listed


EXECUTED = {"pickle", "cPickle", "dill", "cloudpickle", "shelve", "marshal", "joblib", "code", "codeop"}


def test_nothing_read_from_disk_is_ever_executed():
    for path in SOURCES:
        where = module(path)
        assert not {name.split(".")[0] for name in imported(tree(path))} & EXECUTED, where
        for node in ast.walk(tree(path)):
            if not isinstance(node, ast.Call):
                continue
            called = ast.unparse(node.func)
            assert called not in ("eval", "exec", "compile", "__import__"), f"{where}: {called}"
            assert called not in ("torch.load", "torch.jit.load", "torch.package.PackageImporter"), f"{where}: {called}"
            given = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
            assert given.get("allow_pickle", "False") == "False", where
            assert given.get("trust_remote_code", "False") == "False", where
            assert given.get("shell", "False") == "False", where


def contents() -> set[str]:
    """What a wheel should hold of the two packages."""
    wanted = {".py", ".tcss"}
    files = [path for package in ("engine", "lth_tui") for path in (ROOT / package).rglob("*") if path.suffix in wanted]
    return {str(path.relative_to(ROOT)) for path in files}


def test_the_wheel_is_told_to_hold_the_two_packages():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert settings["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"] == ["engine", "lth_tui"]
    assert settings["project"]["scripts"] == {"lth": "lth_tui.__main__:main"}


def test_a_wheel_holds_exactly_the_two_packages(tmp_path):
    pytest.importorskip("hatchling", reason="a wheel is built with hatchling, which is not installed here")
    build = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(tmp_path)]
    subprocess.run([*build, str(ROOT)], check=True, capture_output=True, timeout=300)
    (wheel,) = tmp_path.glob("*.whl")
    with ZipFile(wheel) as archive:
        held = set(archive.namelist())
    ours = {name for name in held if ".dist-info/" not in name}
    assert ours == contents()
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in held)
