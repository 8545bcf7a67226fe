"""The menu: what there is to choose from, in words and as JSON, and the datasets on this machine."""

import gzip

import pytest

from engine import catalog
from tests.cli.conftest import call, one_sentence
from tests.conftest import write_news

MENUS = {
    "models": catalog.MODELS,
    "datasets": catalog.DATASETS,
    "schedules": catalog.SCHEDULES,
    "arms": catalog.ARMS,
}


@pytest.mark.parametrize("menu", MENUS)
def test_every_card_is_listed_in_words_and_as_json(menu):
    listed = call(menu, "--json")
    assert listed.err == ""
    assert [row["name"] for row in listed.json] == list(MENUS[menu])
    words = call(menu)
    assert words.err == ""
    for card in MENUS[menu].values():
        assert card.name in words.out
        assert card.title.split()[0] in words.out


@pytest.mark.parametrize("menu", ["models", "datasets", "schedules"])
def test_the_menu_cites_its_sources(menu):
    words = " ".join(call(menu).out.split())
    for card in MENUS[menu].values():
        assert card.citation.split(",")[0] in words


def test_models_state_their_settings_and_datasets_their_sizes_and_whether_they_are_here(news):
    models = {row["name"]: row for row in call("models", "--json").json}
    usual = {"embedding_dim": 100, "filters": 100, "widths": [3, 4, 5], "dropout": 0.5}
    assert models["cnn"]["settings"] | usual == models["cnn"]["settings"]
    assert models["lstm-2020"]["settings"]["hidden"] == 256
    assert models["bert"]["prunable"] == ["encoder"]
    entry = next(row for row in call("datasets", "--json").json if row["name"] == "ag_news")
    assert entry["here"] is True
    assert entry["classes"] == ["World", "Sports", "Business", "Sci/Tech"]
    (news / "train.csv").unlink()
    entry = next(row for row in call("datasets", "--json").json if row["name"] == "ag_news")
    assert entry["here"] is False
    assert (entry["train"], entry["test"]) == (120_000, 7_600)
    assert "lth data import ag_news" in call("datasets").out


def test_a_schedule_is_drawn_as_its_ladder_of_sparsities():
    shown = call("schedules", "show", "imp", "--json").json
    assert [round(100 * sparsity, 1) for sparsity in shown["ladder"][:4]] == [0.0, 20.0, 36.0, 48.8]
    lines = call("schedules", "show", "imp").out.splitlines()
    rungs = [line for line in lines if " % " in line]
    assert len(rungs) == 11
    assert "89.3 %" in rungs[-1]
    filled = [line.count("█") for line in rungs]
    assert filled == sorted(filled, reverse=True)
    assert filled[-1] == pytest.approx(0.107 * filled[0], abs=1)


@pytest.mark.parametrize("zipped", [False, True])
def test_an_imported_dataset_is_listed_with_its_counts_and_place(tmp_path, zipped):
    source = write_news(tmp_path / "downloaded", train=40, test=12)
    if zipped:
        for name in ("train.csv", "test.csv"):
            (source / f"{name}.gz").write_bytes(gzip.compress((source / name).read_bytes()))
            (source / name).unlink()
    said = call("data", "import", "ag_news", str(source))
    assert (said.code, said.out) == (0, "")
    assert "40" in said.err
    assert "lth run -m cnn -d ag_news" in said.err
    entry = next(row for row in call("data", "ls", "--json").json if row["name"] == "ag_news")
    assert entry | {"here": True, "train": 40, "test": 12} == entry
    assert entry["folder"] == str(tmp_path / "data" / "ag_news")


def test_import_json_says_what_came_in(tmp_path):
    source = write_news(tmp_path / "downloaded", train=40, test=12)
    said = call("data", "import", "ag_news", str(source), "--json")
    assert said.json["train"] == dict.fromkeys(("World", "Sports", "Business", "Sci/Tech"), 10)


def test_a_bad_import_leaves_the_dataset_that_was_there(news, tmp_path):
    bad = write_news(tmp_path / "bad")
    with (bad / "train.csv").open("a") as file:
        file.write('"9","no","such class"\n')
    before = (news / "train.csv").read_bytes()
    assert "row 241" in one_sentence(call("data", "import", "ag_news", str(bad)))
    assert (news / "train.csv").read_bytes() == before


def test_help_says_what_each_command_does_and_run_help_lists_every_setting():
    from engine import spec

    words = call("--help").out
    for name in ("demo", "run", "resume", "models", "datasets", "schedules", "arms", "data", "ls", "show", "watch",
                 "logs", "stop", "rm", "reindex"):  # fmt: skip
        assert f"\n  {name} " in words
        assert call(name, "--help").code == 0
    settings = call("run", "--help").out
    for path in spec.settable_anywhere():
        assert path in settings


def test_no_help_text_is_cut_off():
    cut = [line for line in call("--help").out.splitlines() if line.startswith(" ") and line.endswith("...")]
    assert cut == []


def test_without_a_terminal_the_app_says_where_to_look():
    assert "lth --help" in one_sentence(call())


def test_the_version_is_the_packages():
    from engine import __version__

    assert call("--version").out == f"{__version__}\n"


def test_data_ls_shows_the_whole_of_a_long_path(news):
    words = call("data", "ls").out
    assert str(news) in "".join(line.strip() for line in words.splitlines())


def test_nothing_in_ones_own_schedule_reaches_the_terminal_as_a_command(tmp_path, monkeypatch):
    monkeypatch.setenv("LTH_SCHEDULES", str(tmp_path))
    (tmp_path / "\x1b]0;name.toml").write_text('title = "\\u001b[2Jtitle"\ncitation = "\\u001b[2Jcited"\n')
    (tmp_path / "\x1b]0;bad.toml").write_text("rounds = true\n")
    (tmp_path / "imp.toml").write_text("rounds = 3\n")
    listed = call("schedules")
    assert "\x1b" not in listed.out + listed.err
    assert "␛]0;name" in listed.out
    assert "␛[2Jtitle" in listed.out
    assert "rounds: True given" in listed.err
    assert "imp.toml bears the name of a schedule of the menu" in listed.err
    shown = call("schedules", "show", "\x1b]0;name")
    assert "\x1b" not in shown.out
    assert "␛[2Jcited" in shown.out
