"""Each check of `lth doctor` on made-up facts, well and unwell; and the locks of a real folder."""

import os
import re
import signal
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from engine.errors import BadInput
from engine.process.doctor import examination, folders, graphics, kept, locks, logout, processor, software
from engine.process.doctor.finding import Finding
from engine.process.gpus import Gpu
from engine.record import trash
from lth_tui import terminal
from tests.record.real_runs import make

ROOT = Path(__file__).resolve().parents[2]
GIB = 1 << 30


def only(found: list[Finding]) -> Finding:
    (one,) = found
    return one


def helps(one: Finding, status: str, *words: str) -> None:
    """The finding is of this status, says what to do, and these words are in it."""
    assert one.status == status, one
    assert one.advice
    for word in words:
        assert word in f"{one.told}\n{one.advice}", one


# Software


def test_an_old_python_is_a_failure_and_the_oldest_that_will_do_is_not():
    assert software.python((3, 11, 0), "/bin/python").status == "ok"
    helps(software.python((3, 10, 14), "/bin/python"), "failure", "3.10.14", "3.11")


def test_the_oldest_python_is_the_one_that_the_package_asks_for():
    assert f'requires-python = ">={".".join(map(str, software.OLDEST))}"' in (ROOT / "pyproject.toml").read_text()


def test_other_code_than_the_installed_one_is_told():
    assert software.itself("1.0", "1.0").status == "ok"
    helps(software.itself("1.1", "1.0"), "warning", "1.1 runs", "1.0 installed")
    helps(software.itself("1.1", None), "warning", "pip install")


def test_a_missing_package_is_a_failure_and_one_of_another_version_a_warning():
    needed = ["torch>=2.10", "textual<9,>=8.0", "mypy>=1.15; extra == 'dev'", 'nothere>=1; python_version < "3"']
    good = {"torch": "2.13.0+cpu", "textual": "8.2.8"}
    assert only(software.packages(needed, good)).status == "ok"
    helps(only(software.packages(needed, good | {"textual": "9.0"})), "warning", "textual 9.0", "pip install 'textual")
    helps(only(software.packages(needed, good | {"torch": None})), "failure", "torch is missing", "'torch>=2.10'")


def test_the_versions_asked_are_those_of_what_is_needed_and_not_of_what_is_extra():
    found = software.versions(["numpy>=2.0", "mypy>=1; extra == 'dev'", "no-such-package-anywhere"])
    assert found.keys() == {"numpy", "no-such-package-anywhere"}
    assert found["numpy"]
    assert found["no-such-package-anywhere"] is None


# Cores and memory


def test_a_quota_below_the_cores_is_told_with_the_threads_to_give():
    assert processor.cores(4, 8, None).told == "4 of 8"
    assert processor.cores(4, 4, 4.0).status == "ok"
    helps(processor.cores(16, 16, 2.5), "warning", "2.5", "threads=2")
    helps(processor.cores(2, 2, 0.5), "warning", "threads=1")


@pytest.mark.parametrize("given", ["many", "0", "-1", "", "9", "²"])
def test_odd_numbers_of_threads_are_told(given):
    helps(only(processor.threads({"OMP_NUM_THREADS": given}, 4)), "warning", "OMP_NUM_THREADS", repr(given))


@pytest.mark.parametrize("environment", [{}, {"OMP_NUM_THREADS": "1"}, {"OMP_NUM_THREADS": "4,2"}])
def test_threads_that_the_cores_can_carry_are_no_matter(environment):
    assert processor.threads(environment, 4) == []


def test_little_memory_is_told_whether_the_machine_or_the_container_lacks_it():
    assert processor.memory(16 * GIB, 8 * GIB, None, None).status == "ok"
    helps(processor.memory(16 * GIB, GIB, None, None), "warning")
    helps(processor.memory(64 * GIB, 60 * GIB, 4 * GIB, 3 * GIB), "warning", "container")
    assert processor.memory(64 * GIB, 60 * GIB, 9 * GIB, GIB).status == "ok"


def test_the_strictest_cgroup_above_a_process_counts(tmp_path):
    inner = tmp_path / "outer" / "inner"
    inner.mkdir(parents=True)
    assert processor.quota(tmp_path, "0::/outer/inner\n") is None
    (tmp_path / "outer" / "cpu.max").write_text("150000 100000\n")
    (inner / "cpu.max").write_text("max 100000\n")
    (inner / "memory.max").write_text(f"{4 * GIB}\n")
    (inner / "memory.current").write_text(f"{GIB}\n")
    (tmp_path / "outer" / "memory.max").write_text("max\n")
    assert processor.quota(tmp_path, "0::/outer/inner\n") == 1.5
    (inner / "cpu.max").write_text("300000 100000\n")
    assert processor.quota(tmp_path, "0::/outer/inner\n") == 1.5
    assert processor.limit(tmp_path, "0::/outer/inner\n") == (4 * GIB, GIB)
    assert processor.quota(tmp_path, "0::/\n") is None  # not of this process


def test_the_first_version_of_cgroups_is_read_too(tmp_path):
    for name, words in {
        "cpu/box/cpu.cfs_quota_us": "200000",
        "cpu/box/cpu.cfs_period_us": "100000",
        "memory/box/memory.limit_in_bytes": str(GIB),
        "memory/memory.limit_in_bytes": "9223372036854771712",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(words)
    memberships = "4:memory:/box\n1:cpuacct,cpu:/box\n0::/\n"
    assert processor.quota(tmp_path, memberships) == 2.0
    assert processor.limit(tmp_path, memberships) == (GIB, 0)


# torch and GPUs

CPU = graphics.Torch("2.13.0+cpu", None)
CUDA = graphics.Torch("2.13.0+cu130", "13.0", devices=(("H100", None),))
DRIVER = graphics.Driver("580.1", (13, 0), 1)
CARD = Gpu("GPU-1", 0, "H100", 80 * GIB, 79 * GIB)


def test_torch_that_cannot_be_imported_or_adds_up_wrongly_is_a_failure():
    assert graphics.torch(CPU).status == "ok"
    helps(graphics.torch("torch cannot be imported: no file"), "failure", "no file", "pip install")
    helps(graphics.torch(replace(CPU, trouble="it computes 3.0, not 4096")), "failure", "3.0")


def test_without_a_gpu_the_cpu_is_fine():
    assert only(graphics.cuda(CPU, None, [], None)).status == "ok"
    assert only(graphics.cuda(CPU, replace(DRIVER, count=0), [], None)).status == "ok"


def test_a_gpu_that_torch_computes_on_is_fine():
    assert only(graphics.cuda(CUDA, DRIVER, [CARD], None)).status == "ok"


@pytest.mark.parametrize(
    ("said", "driver", "visible", "hidden_by", "status", "words"),
    [
        (CPU, DRIVER, [CARD], None, "warning", ["without CUDA", "torch 2.13.0 for CUDA 13"]),
        (CUDA, DRIVER, [CARD, replace(CARD, uuid="GPU-2")], None, "warning", ["1 of the 2"]),
        (replace(CUDA, devices=()), replace(DRIVER, cuda=(12, 4)), [CARD], None, "warning", ["too new", "12.4"]),
        (replace(CUDA, devices=(), warnings=("it is ill",)), DRIVER, [CARD], None, "warning", ["it is ill"]),
        (replace(CUDA, devices=()), DRIVER, [], "", "warning", ["CUDA_VISIBLE_DEVICES is ''", "unset"]),
        (replace(CUDA, devices=(("H100", "no kernel"),)), DRIVER, [CARD], None, "failure", ["no kernel", "device=cpu"]),
    ],
)
def test_what_keeps_torch_from_the_gpus_is_told(said, driver, visible, hidden_by, status, words):
    helps(only(graphics.cuda(said, driver, visible, hidden_by)), status, *words)


def test_a_driver_that_is_loaded_and_does_not_answer_is_told():
    helps(only(graphics.cuda(CPU, None, [], None, nodes=True)), "warning", "does not answer", "nvidia-smi")


def test_a_full_gpu_is_told():
    assert graphics.memory(CARD).status == "ok"
    helps(graphics.memory(replace(CARD, index=3, free=GIB // 2)), "warning", "H100", "nvidia-smi")
    assert graphics.memory(replace(CARD, index=3)).name == "GPU 3"


def test_what_torch_says_is_read_past_what_it_prints_and_its_death_is_put_in_words():
    answer = '{"version": "2.13.0", "cuda": null, "trouble": null, "devices": [], "warnings": []}'
    assert graphics.heard(0, f"a banner\n{answer}\n\n", "") == graphics.Torch("2.13.0", None)
    assert "no libgomp" in str(graphics.heard(1, "", "Traceback\nImportError: no libgomp\n"))
    assert "signal 11" in str(graphics.heard(-11, "", ""))
    assert isinstance(graphics.heard(0, "[]", ""), str)
    assert isinstance(graphics.heard(0, '{"version": 3}', ""), str)


def test_a_torch_that_hangs_or_a_python_that_is_gone_is_put_in_words(tmp_path):
    slow = tmp_path / "slow"
    slow.write_text("#!/bin/sh\nexec sleep 60\n")
    slow.chmod(0o700)
    assert "within 0 s" in str(graphics.ask_torch(str(slow), patience=0.2))
    assert "cannot be started" in str(graphics.ask_torch(str(tmp_path / "none")))


# Folders

PLACE = folders.Place(Path("/runs"), True, 100 * GIB, 1_000_000, 0o700, "lab", reachable=True)


def of(place: folders.Place) -> list[Finding]:
    return folders.folder("runs", place, "LTH_RUNS", "failure", "no run can be made")


def test_a_folder_with_room_is_fine_and_told_with_its_path():
    assert only(of(PLACE)).status == "ok"
    assert "/runs" in only(of(PLACE)).told
    assert "will be made" in only(of(replace(PLACE, exists=False))).told
    assert only(of(replace(PLACE, files=None))).status == "ok"


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"free": 5 * GIB - 1}, "warning"),
        ({"free": 199_000_000}, "failure"),
        ({"files": 5_000}, "warning"),
        ({"files": 10}, "failure"),
        ({"trouble": "/runs is read-only"}, "failure"),
    ],
)
def test_a_folder_that_is_full_or_cannot_be_written_is_told(change, status):
    helps(only(of(replace(PLACE, **change))), status, "/runs", "LTH_RUNS")


@pytest.mark.parametrize(
    ("mode", "reachable", "status"),
    [
        (0o700, True, "ok"),
        (0o750, True, "ok"),
        (0o2770, True, "ok"),
        (0o755, True, "warning"),
        (0o755, False, "ok"),
        (0o777, True, "warning"),
        (0o2775, True, "warning"),
    ],
)
def test_a_runs_folder_that_others_get_into_is_told(mode, reachable, status):
    one = only(folders.privacy(replace(PLACE, mode=mode, reachable=reachable)))
    assert one.status == status
    if status == "warning":
        helps(one, "warning", "everybody", "chmod 2770 /runs" if mode & 0o2000 else "chmod 700 /runs")
    assert ("asks to be shared with the group lab" in one.told) == (mode == 0o2770)


def test_a_folder_is_looked_at_as_it_is(tmp_path):
    folder = tmp_path / "runs"
    folder.mkdir(0o700)
    seen = folders.look(folder)
    assert (seen.exists, seen.mode, seen.trouble) == (True, 0o700, None)
    assert os.listdir(folder) == []
    assert not folders.look(folder / "not" / "yet").exists
    folder.chmod(0o500)
    assert "read-only" in str(folders.look(folder / "not" / "yet").trouble)
    folder.chmod(0o700)
    (folder / "file").touch()
    (folder / "link").symlink_to("nowhere")
    assert "is a file" in str(folders.look(folder / "file").trouble)
    assert "is a file" in str(folders.look(folder / "file" / "runs").trouble)
    assert "leads nowhere" in str(folders.look(folder / "link").trouble)


# Locks


def test_the_locks_of_a_real_folder_keep_their_promises_and_nothing_stays_behind(tmp_path):
    assert locks.attempt(tmp_path) == locks.Trial()
    assert os.listdir(tmp_path) == []


def test_a_holder_that_is_not_seen_to_die_is_noticed(tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "_PATIENCE", 0.0)
    monkeypatch.setattr(locks.liveness, "holder", lambda run: 0)  # as where a lock's holder cannot be named
    trial = locks.attempt(tmp_path)
    assert (trial.refused, trial.named, trial.freed) == (True, False, False)
    assert os.listdir(tmp_path) == []


def test_a_folder_where_nothing_can_be_tried_is_a_failure(tmp_path):
    helps(locks.finding(locks.attempt(tmp_path / "none"), None), "failure", "none", "LTH_RUNS")


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        ({"refused": False}, "two engines"),
        ({"named": False}, "who holds"),
        ({"freed": False}, "stays"),
        ({"replaced": "Text file busy"}, "Text file busy"),
        ({"synced": "Invalid argument"}, "Invalid argument"),
    ],
)
def test_each_promise_that_is_broken_is_a_failure(broken, words):
    helps(locks.finding(locks.Trial(**broken), "ext4"), "failure", words, "LTH_RUNS")


@pytest.mark.parametrize("kind", ["nfs", "nfs4", "cifs", "fuse.sshfs", "tmpfs", "overlay"])
def test_file_systems_that_others_share_or_that_pass_are_warned_of(kind):
    helps(locks.finding(locks.Trial(), kind), "warning", kind, "LTH_RUNS")
    assert locks.finding(locks.Trial(), "ext4").status == "ok"
    assert locks.finding(locks.Trial(), None).status == "ok"


def test_a_file_system_is_the_one_mounted_nearest_and_last():
    mounts = "\n".join(
        [
            "/dev/a / ext4 rw 0 0",
            "server:/lab /lab nfs4 rw 0 0",
            r"server:/x /lab/two\040words cifs rw 0 0",
            "b /over ext3 rw 0 0",
            "c /over xfs rw 0 0",
            "damaged",
        ]
    )
    for path, kind in {
        "/home": "ext4",
        "/lab/runs": "nfs4",
        "/laboratory": "ext4",
        "/lab/two words/runs": "cifs",
        "/over/runs": "xfs",
    }.items():
        assert locks.file_system(mounts, Path(path)) == kind
    assert locks.file_system("", Path("/home")) is None


# Logout


def logind(root: Path, **files: str) -> dict[str, str]:
    for name, words in files.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.with_name(path.name + ".conf").write_text(words)
    return logout.settings(root)


def test_drop_ins_override_logind_conf_in_order_of_their_names(tmp_path):
    main = "[Login]\n#KillUserProcesses=no\nKillExcludeUsers=root\n"
    assert logind(tmp_path, etc__systemd__logind=main)["KillUserProcesses"] == "no"
    late = {"etc__systemd__logind.conf.d__20-b": "[Login]\nKillUserProcesses=yes\n"}
    early = {"usr__lib__systemd__logind.conf.d__10-a": "[Login]\nKillUserProcesses=no\n# KillUserProcesses=no\n"}
    assert logind(tmp_path, **late, **early)["KillUserProcesses"] == "yes"
    masked = {"usr__lib__systemd__logind.conf.d__20-b": "[Login]\nKillUserProcesses=no\n"}
    assert logind(tmp_path, **masked)["KillUserProcesses"] == "yes"  # of one name the one in /etc
    other = {"etc__systemd__logind.conf.d__30-c": "[Other]\nKillUserProcesses=no\n"}
    assert logind(tmp_path, **other)["KillUserProcesses"] == "yes"
    assert logout.settings(tmp_path / "none") == {}


def test_what_was_compiled_in_counts_where_nothing_is_set(tmp_path):
    assert logout.kills(logind(tmp_path, usr__lib__systemd__logind="[Login]\n#KillUserProcesses=yes\n"), "ann")


@pytest.mark.parametrize(
    ("said", "user", "killed"),
    [
        ({}, "ann", False),
        ({"KillUserProcesses": "yes"}, "ann", True),
        ({"KillUserProcesses": "yes"}, "root", False),
        ({"KillUserProcesses": "yes", "KillExcludeUsers": ""}, "root", True),
        ({"KillUserProcesses": "true", "KillOnlyUsers": "bob"}, "ann", False),
        ({"KillUserProcesses": "1", "KillOnlyUsers": "bob ann"}, "ann", True),
    ],
)
def test_whose_processes_are_killed_is_as_logind_says(said, user, killed):
    assert logout.kills(said, user) is killed


def test_a_logout_that_kills_is_warned_of_unless_the_user_lingers():
    kill, service = {"KillUserProcesses": "yes"}, "0::/user.slice/user-1.slice/user@1.service/app.slice/t.scope"
    session = "0::/user.slice/user-1.slice/session-3.scope"
    helps(logout.finding(True, kill, "ann", False, session), "warning", "loginctl enable-linger ann")
    helps(logout.finding(True, {}, "ann", False, service), "warning", "loginctl enable-linger ann")
    assert logout.finding(True, kill, "ann", True, service).status == "ok"
    assert logout.finding(True, {}, "ann", False, session).status == "ok"
    assert logout.finding(False, kill, "ann", False, session).status == "ok"


# What is kept


def test_variables_that_cannot_be_meant_so_are_told():
    fine = {"LTH_RUNS": "/runs", "LTH_DATA": "~/data", "LTH_CACHE": "off", "LTH_SLOTS": "2", "HOME": "x"}
    assert only(kept.environment(fine)).status == "ok"
    assert only(kept.environment({})).status == "ok"
    helps(only(kept.environment({"LTH_RUNS": "runs"})), "warning", "LTH_RUNS", str(Path("runs").absolute()))
    helps(only(kept.environment({"LTH_RUN": "/runs"})), "warning", "Did you mean LTH_RUNS?")
    for slots in ("nonsense", "0", "-1", "1.5", "²"):
        helps(only(kept.environment({"LTH_SLOTS": slots})), "failure", "LTH_SLOTS", slots)


def test_every_variable_that_the_program_reads_is_known():
    sources = [path for package in ("engine", "lth_tui") for path in (ROOT / package).rglob("*.py")]
    read = {name for path in sources for name in re.findall(r'environ[^\n]{0,8}"(LTH_[A-Z_]+)"', path.read_text())}
    assert {"LTH_RUNS", "LTH_CACHE_GB"} <= read <= {*kept.VARIABLES}


def test_a_broken_dataset_is_told_with_its_sentence(news):
    assert only(kept.datasets()).told.startswith("here: pydoc, ag_news; lth data fetch brings imdb")
    with (news / "train.csv").open("a") as file:
        file.write('"9","no","such class"\n')
    broken, rest = kept.datasets()
    helps(broken, "warning", "row 241", "lth data fetch ag_news")
    assert rest.told.startswith("here: pydoc;")
    (news / "test.csv").unlink()
    helps(kept.datasets()[0], "warning", "test", "lth data fetch ag_news")


def test_runs_are_counted_and_what_is_wrong_with_them_is_told():
    assert only(kept.counted({}, "was missing", 0)).told == "none yet"
    fine = {"a": "finished", "b": "running", "c": "queued"}
    assert only(kept.counted(fine, None, 0)).told == "3 kept, 1 running, 1 queued"
    helps(only(kept.counted(fine | {"d": "orphaned"}, None, 0)), "warning", "1 of 4", "lth resume d")
    helps(only(kept.counted(fine, "was damaged (checksum)", 0)), "warning", "damaged", "reindex")
    helps(only(kept.counted(fine, None, 3_000_000_000)), "warning", "3.0 GB", ".trash")


def test_the_runs_of_a_real_folder_are_looked_at_and_left_as_they_are(tmp_path):
    runs = tmp_path / "runs"
    orphan = make(runs, state="running")
    before = sorted(runs.rglob("*"))
    lost, history = kept.runs(runs)
    helps(lost, "warning", f"lth resume {orphan.name}")
    helps(history, "warning", "was missing")
    assert sorted(runs.rglob("*")) == before
    trash.put(orphan)
    assert only(kept.runs(runs)).told == "none yet"


def test_ones_own_schedules_that_are_none_are_told(tmp_path):
    assert kept.own_schedules(tmp_path / "none", asked_for=False) == []
    helps(only(kept.own_schedules(tmp_path / "none", asked_for=True)), "warning", "LTH_SCHEDULES")
    (tmp_path / "schedules").mkdir()
    (tmp_path / "schedules" / "mine.toml").write_text("rounds = true\n")
    helps(only(kept.own_schedules(tmp_path / "schedules", asked_for=True)), "warning", "rounds: True given")


# The terminal

XTERM = {"TERM": "xterm-256color", "COLORTERM": "truecolor"}


def test_a_good_terminal_is_fine_and_none_is_no_trouble():
    good = only(terminal.findings(XTERM | {"SSH_TTY": "/dev/pts/1"}, True, (80, 24), "utf-8"))
    assert good == Finding("terminal", "ok", "xterm-256color, 80×24, all colours, over SSH")
    assert only(terminal.findings({}, False, (0, 0), "ascii")).status == "ok"
    assert "NO_COLOR" in only(terminal.findings(XTERM | {"NO_COLOR": "1"}, True, (80, 24), "UTF-8")).told


@pytest.mark.parametrize(
    ("environment", "size", "encoding", "words"),
    [
        ({"TERM": "dumb"}, (80, 24), "utf-8", "dumb"),
        ({}, (80, 24), "utf-8", "TERM is not set"),
        (XTERM, (79, 24), "utf-8", "79×24"),
        (XTERM, (80, 23), "utf-8", "80×23"),
        (XTERM, (80, 24), "ANSI_X3.4-1968", "UTF-8"),
        (XTERM | {"STY": "1.x"}, (80, 24), "utf-8", "screen"),
        (XTERM | {"TMUX": "x"}, (80, 24), "utf-8", "set -g set-clipboard on"),
    ],
)
def test_what_a_terminal_lacks_is_told(environment, size, encoding, words):
    helps(only(terminal.findings(environment, True, size, encoding)), "warning", words)


def test_a_tmux_that_passes_the_clipboard_on_is_fine():
    said = "set-clipboard on\nallow-passthrough on\n"
    assert only(terminal.findings(XTERM | {"TMUX": "x"}, True, (80, 24), "utf-8", said)).status == "ok"
    half = said.replace("passthrough on", "passthrough off")
    assert only(terminal.findings(XTERM | {"TMUX": "x"}, True, (80, 24), "utf-8", half)).status == "warning"


# The whole


def test_a_check_that_fails_is_a_failure_and_no_crash():
    def fails() -> list[Finding]:
        raise OSError("the disk\nburns")

    def refuses() -> list[Finding]:
        raise BadInput("LTH_CACHE_GB: 'x' given; give a number.")

    one = only(examination.guarded("disk", fails))
    helps(one, "failure", "OSError: the disk")
    assert one.name == "disk"
    assert only(examination.guarded("settings", refuses)) == Finding(
        "settings", "failure", "LTH_CACHE_GB: 'x' given", "Give a number."
    )


def test_the_process_that_tries_a_lock_ends_with_the_one_that_examines(tmp_path):
    lock = tmp_path / "lock"
    lock.touch()
    reads, writes = os.pipe()
    pid = os.posix_spawn(
        sys.executable,
        [sys.executable, "-I", "-c", locks._HOLD, str(lock)],
        os.environ,
        file_actions=[(os.POSIX_SPAWN_DUP2, reads, 0), (os.POSIX_SPAWN_CLOSE, writes)],
    )
    os.close(reads)
    os.close(writes)  # as where it was killed
    signal.alarm(30)
    try:
        assert os.waitpid(pid, 0)[1] == 0
    finally:
        signal.alarm(0)
