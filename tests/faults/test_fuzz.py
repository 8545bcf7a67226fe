"""Every file of a run or a dataset, fuzzed: refused in one sentence, or read rightly; nothing is ever unpickled."""

import io
import os
import pickle
import resource
import shutil
import signal
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import orjson
import pyarrow as pa
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet
from safetensors.numpy import save

from engine import spec as specs
from engine.data import store
from engine.errors import BadInput
from engine.record import checkpoint, events, extensions, history, rundir, summary, tickets
from engine.spec import DataSpec
from tests.cli.conftest import call, one_sentence
from tests.conftest import write_news
from tests.faults import mangled
from tests.faults.runs import new_run
from tests.faults.trials import FULL, figures, trials
from tests.faults.warm import warm

TARGETS = 10
EXAMPLES = trials(5000, 500) // TARGETS
FUZZ = settings(
    max_examples=EXAMPLES, derandomize=not FULL, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)
COMMANDS = (["ls"], ["ls", "--json"], ["show", "@last"], ["show", "@last", "--json"], ["logs", "@last"])


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run whose files are all valid."""
    folder = tmp_path_factory.mktemp("sound")
    write_news(folder / "data" / "ag_news")
    with pytest.MonkeyPatch.context() as patch:
        for name, part in (("LTH_RUNS", "runs"), ("LTH_DATA", "data"), ("XDG_CACHE_HOME", "cache")):
            patch.setenv(name, str(folder / part))
        run = new_run()
        with warm(run):
            return run


@pytest.fixture
def run(sound: Path, tmp_path: Path) -> Path:
    """A copy of it, the only one that `lth` sees."""
    return Path(shutil.copytree(sound, tmp_path / "runs" / sound.name))


@contextmanager
def bounded() -> Iterator[None]:
    """No example may take 20 s, or half a gigabyte more than there is."""

    def late(*_: object) -> None:
        raise AssertionError("it hangs")

    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limits = resource.getrlimit(resource.RLIMIT_AS)
    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, 20)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + (512 << 20), limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, limits)
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def sentence(error: BadInput) -> None:
    words = str(error)
    assert "\n" not in words and words[-1:] in (".", "?") and ": " in words, words
    assert len(words) < 4000, words


_turn = count()


def look_at(run: Path, met: Counter[str]) -> None:
    """All that reads a run, and one of the commands in turn."""
    with bounded():
        try:
            specs.of_run(run)
            met["read"] += 1
        except BadInput as error:
            sentence(error)
            met["refused"] += 1
        status = rundir.read_status(run)
        assert status["state"] in rundir.STATES
        assert rundir.state(run) in (*rundir.STATES, "orphaned")
        for told in (status, history.summarise(run), summary.show(run)):
            assert isinstance(orjson.loads(orjson.dumps(told)), dict)
        command = COMMANDS[next(_turn) % len(COMMANDS)]
        said = call(*command)
        if said.code:
            one_sentence(said)
        elif "--json" in command:
            orjson.loads(said.out)
        else:
            strange = {sign for sign in said.out + said.err if unicodedata.category(sign) in ("Cc", "Cs")} - {"\n"}
            assert not strange, f"{command} wrote {strange}"


def told(request: pytest.FixtureRequest, what: str, met: Counter[str]) -> None:
    found = ", ".join(f"{number} {how}" for how, number in met.most_common())
    figures(request)(f"fuzzed {what}: {met.total()} examples, {found}")


@pytest.mark.parametrize("name", ["spec.json", "status.json", "notes.json"])
def test_a_fuzzed_json_file_of_a_run(run: Path, request: pytest.FixtureRequest, name: str) -> None:
    path, met = run / name, Counter[str]()
    notes = {"name": "a name", "tags": ["one", "two"], "note": "what I thought of it"}
    whole = orjson.dumps(notes) if name == "notes.json" else path.read_bytes()

    @FUZZ
    @given(mangled.files(whole, orjson.loads(whole)))
    def fuzzed(data: bytes) -> None:
        path.write_bytes(data)
        look_at(run, met)

    fuzzed()
    told(request, name, met)


def _line(event: dict[str, Any]) -> bytes:
    """An event with its checksum, whatever is in it."""
    body = mangled.written(event)
    return b'%s,"crc32":"%08x"}\n' % (body[:-1], crc32(body))


def test_fuzzed_events_whose_checksums_are_right_or_wrong(run: Path, request: pytest.FixtureRequest) -> None:
    path, met = run / events.FILE, Counter[str]()
    whole = path.read_bytes()
    every = events.read(path).events
    lines = st.lists(st.one_of([st.sampled_from(every).flatmap(mangled.changed).filter(bool)] * 2), max_size=6)

    @FUZZ
    @given(st.one_of(mangled.mutated(whole), st.binary(max_size=200), lines))
    def fuzzed(data: bytes | list[dict[str, Any]]) -> None:
        if isinstance(data, list):
            at = sum(len(str(one)) for one in data) % (len(every) + 1)
            data = b"".join(map(_line, [*every[:at], *data, *every[at:]]))
        path.write_bytes(data)
        tail = events.read(path)
        assert all(isinstance(one["event"], str) and one["seq"] >= 0 for one in tail.events)
        look_at(run, met)

    fuzzed()
    told(request, events.FILE, met)


def test_fuzzed_extensions(run: Path, request: pytest.FixtureRequest) -> None:
    path, met = run / extensions.FILE, Counter[str]()
    sound = {"at": 1790000000.0, "seeds": [0, 1, 2], "rounds": 3}

    @FUZZ
    @given(mangled.files(mangled.written(sound) + b"\n", sound))
    def fuzzed(data: bytes) -> None:
        path.write_bytes(data + b"\n")
        look_at(run, met)

    fuzzed()
    told(request, extensions.FILE, met)


class Trap:
    """What makes a file, were it unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return os.mkdir, (str(self.path),)


def _saved(trap: Trap) -> bytes:
    file = io.BytesIO()
    torch.save({"weights": trap}, file)
    return file.getvalue()


def _read_all(run: Path) -> bool:
    """Every way in which weights, masks and what lies beside them are read: whether none was refused."""
    whole = True
    for read in (
        lambda: checkpoint.load_rewind(run, 0),
        lambda: checkpoint.load_mask(run, 0, 1),
        lambda: checkpoint.load_standing(run, 0),
        lambda: checkpoint.from_bytes((run / "tickets" / tickets.rewind(0)).read_bytes()),
        lambda: tickets.check(run, [0], 1),
    ):
        try:
            read()
        except (checkpoint.Damaged, BadInput):
            whole = False
    assert tickets.words(run) is None or isinstance(tickets.words(run), list)
    return whole


def test_fuzzed_tickets_and_checkpoints(run: Path, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    names = ["tickets/seed-0.safetensors", "tickets/seed-0-round-01.mask", "checkpoints/seed-0.safetensors"]
    paths = [run / name for name in names]
    sound, met, trap = [path.read_bytes() for path in paths], Counter[str](), Trap(tmp_path / "unpickled")
    shapes = st.dictionaries(
        st.sampled_from(["embedding.weight", "head.weight", "other"]),
        st.one_of(st.lists(st.one_of(st.integers(-3, 50), mangled.numbers), max_size=3), mangled.values),
    )
    layers = {"embedding.weight": np.zeros(38, np.uint8), "head.weight": np.zeros((2, 3), np.float32)}
    words = st.one_of(shapes.map(mangled.written).map(bytes.decode), mangled.deep)
    arms = mangled.values.map(mangled.written).map(bytes.decode)
    rounds = st.one_of(st.just("1"), st.text(max_size=4))
    metadata = st.fixed_dictionaries({"shapes": words}, optional={"round": rounds, "arms": arms})
    assert _read_all(run), "as it is, nothing is refused"
    forged = metadata.map(lambda one: save(layers, one))
    traps = st.sampled_from([pickle.dumps(trap), _saved(trap)])

    @FUZZ
    @given(st.sampled_from(range(3)), st.data())
    def fuzzed(which: int, data: st.DataObject) -> None:
        content = data.draw(st.one_of(mangled.mutated(sound[which]), st.binary(max_size=200), forged, forged, traps))
        paths[which].write_bytes(content)
        try:
            with bounded():
                met["read" if _read_all(run) else "refused"] += 1
        finally:
            paths[which].write_bytes(sound[which])
        assert not trap.path.exists(), "it was unpickled"

    fuzzed()
    pickle.loads(pickle.dumps(trap))
    assert trap.path.exists(), "the trap is none"
    told(request, "tickets and checkpoints", met)


ROWS = [(f'{word} number {n}, "quoted"', label) for n in range(6) for word, label in (("alpha", "x"), ("beta", "y"))]


def _table(name: str) -> bytes:
    """A valid file of texts and labels."""
    if name.endswith(".parquet"):
        buffer = io.BytesIO()
        parquet.write_table(pa.table({"text": [row[0] for row in ROWS], "label": [row[1] for row in ROWS]}), buffer)
        return buffer.getvalue()
    if name.endswith(".jsonl"):
        return b"".join(orjson.dumps({"text": text, "label": label}) + b"\n" for text, label in ROWS)
    sign = "," if name.endswith(".csv") else "\t"
    quoted = [['"' + cell.replace('"', '""') + '"' for cell in row] for row in ROWS]
    return "\n".join(map(sign.join, [("text", "label"), *quoted])).encode()


@pytest.mark.parametrize("name", ["mine.csv", "mine.tsv", "mine.jsonl", "mine.parquet"])
def test_a_fuzzed_file_of_texts(tmp_path: Path, request: pytest.FixtureRequest, name: str) -> None:
    path, whole, met = tmp_path / name, _table(name), Counter[str]()
    rows = st.lists(st.dictionaries(st.sampled_from(["text", "label", "other"]), mangled.values), max_size=5)
    kinds = [mangled.mutated(whole), st.binary(max_size=300), mangled.deep.map(str.encode)]
    kinds += [rows.map(lambda many: whole + b"".join(mangled.written(row) + b"\n" for row in many))]
    kinds += [
        st.lists(mangled.texts).map(lambda many: whole + b"\n" + "\n".join(many).encode("utf-8", "surrogatepass"))
    ]

    @FUZZ
    @given(st.one_of(kinds))
    def fuzzed(data: bytes) -> None:
        path.write_bytes(data)
        with bounded():
            try:
                found = store.validate(DataSpec(name="mine", file=str(path)))
                assert all(texts > 0 for texts in found.train.values())
                met["read"] += 1
            except BadInput as error:
                sentence(error)
                met["refused"] += 1

    fuzzed()
    told(request, name, met)


@pytest.mark.parametrize("name", ["spec.json", "status.json", "notes.json", events.FILE, extensions.FILE])
@pytest.mark.parametrize("how", ["a folder", "a fifo", "a terabyte", "a loop of links", "a device without an end"])
def test_what_is_no_ordinary_file_where_one_should_be(
    run: Path, request: pytest.FixtureRequest, name: str, how: str
) -> None:
    path = run / name
    path.unlink(missing_ok=True)
    if how == "a folder":
        path.mkdir()
    elif how == "a fifo":
        os.mkfifo(path)
    elif how == "a terabyte":
        path.touch()
        os.truncate(path, 1 << 40)
    else:
        path.symlink_to(path.name if how == "a loop of links" else "/dev/zero")
    for _ in COMMANDS:
        look_at(run, Counter())
