"""`lth doctor` as a person runs it: on a machine that is well, and on ones that are not."""

import json
import os
import subprocess
import sys

import pytest

from tests.cli.conftest import ROOT, lth
from tests.cli.test_terminal import in_terminal, shown


def test_a_machine_that_is_well_is_told_line_by_line_with_its_folders(tmp_path):
    said = lth("doctor", COLUMNS="80")
    assert said.code == 0, said
    assert "Traceback" not in said.err
    names = [line.split("  ")[0] for line in said.out.splitlines() if line[:1].strip()]
    for name in ("python", "lth", "packages", "cores", "memory", "runs folder", "runs locks", "data folder", "logout",
                 "terminal", "settings", "datasets", "runs", "torch", "CUDA"):  # fmt: skip
        assert any(one.startswith(name) for one in names), name
    everything = "".join(line[23:].rstrip() for line in said.out.splitlines())
    for folder in ("runs", "data", "dense"):
        assert str(tmp_path / folder) in everything
    assert all(len(line) <= 80 for line in said.out.splitlines())
    assert "0 failures" in said.err
    assert not (tmp_path / "runs").exists()  # it looks, and makes nothing


def test_json_holds_every_finding_and_the_folders(tmp_path):
    said = lth("doctor", "--json", LTH_CACHE="off")
    assert said.code == 0, said
    assert said.json["ok"] is True
    assert said.json["folders"] == {"runs": str(tmp_path / "runs"), "data": str(tmp_path / "data"), "cache": None}
    assert said.json["versions"]["torch"]
    for one in said.json["findings"]:
        assert one.keys() == {"name", "status", "told", "advice"}
        assert one["status"] in ("ok", "warning", "failure")
        assert one["told"]
        assert (one["advice"] is None) == (one["status"] == "ok")


def test_a_runs_folder_that_is_a_file_is_a_failure_told_once(tmp_path):
    (tmp_path / "runs").write_text("precious")
    said = lth("doctor", "--json")
    assert (said.code, said.json["ok"]) == (1, False)
    failures = [one for one in said.json["findings"] if one["status"] == "failure"]
    assert [one["name"] for one in failures] == ["runs folder"]
    assert "is a file" in failures[0]["told"]
    assert (tmp_path / "runs").read_text() == "precious"


def test_a_read_only_runs_folder_is_a_failure(tmp_path):
    (tmp_path / "runs").mkdir(0o500)
    said = lth("doctor", "--json")
    assert said.code == 1
    assert [one["name"] for one in said.json["findings"] if one["status"] == "failure"] == ["runs folder"]


@pytest.mark.parametrize("variable", ["LTH_SLOTS", "LTH_CACHE_GB"])
def test_a_variable_of_nonsense_is_a_failure_in_words(variable):
    said = lth("doctor", **{variable: "nonsense"})
    assert said.code == 1
    line = next(line for line in said.out.splitlines() if variable in line)
    assert "failure" in line
    assert "1 failure" in said.err


def test_a_path_that_is_no_text_breaks_neither_words_nor_json(tmp_path):
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "LTH_RUNS": os.fsdecode(os.fsencode(tmp_path) + b"/\xff\x1b[2J"),
    }
    for arguments in (["doctor"], ["doctor", "--json"]):
        done = subprocess.run(
            [sys.executable, "-m", "lth_tui.cli", *arguments], check=False, capture_output=True, env=environment
        )
        assert done.returncode == 0, done.stderr
        assert b"\x1b" not in done.stdout
        if "--json" in arguments:
            assert json.loads(done.stdout)["folders"]["runs"].endswith("\\udcff\x1b[2J")


def test_on_a_terminal_lines_appear_before_torch_has_answered():
    pid, terminal = in_terminal("doctor")
    words = shown(terminal)
    os.waitpid(pid, 0)
    os.close(terminal)
    assert b"encoding" not in words
    assert words.index(b"python") < words.index(b"runs locks") < words.rindex(b"Examining") < words.index(b"failures,")
