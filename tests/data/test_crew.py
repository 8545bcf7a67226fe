"""However many processes number the words of texts, and whatever becomes of them, the numbers are torchtext's."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torchtext.data.utils import get_tokenizer

from engine.data import crew, numbering, reader, words
from engine.data.corpus import Corpus
from engine.data.crew import Crew
from engine.data.numbering import Numbered, Numberer
from engine.errors import BadInput, Stopped
from tests.data.same import same

_tokenise = get_tokenizer("basic_english")
# All that basic_english looks at, white space of many kinds, letters that change their length or by their neighbours
# when lowered, and half a surrogate pair.
_PARTS = ["'", '"', ".", "<br />", '<br" />', "<br\n/>", ",", "(", ")", "!", "?", ";", ":", " ", "\n", "\r\n", "\t"]
_PARTS += ["\x0b", "\x1c", "\x85", "\xa0", "\u2028", "\u3000", "\0", "Σ", "ΑΣ", "İ", "ß", "\u0345", "\ud800", "<pad>"]
_PARTS += ["the", "The", "cat", "CAT", "don't", "<unk>", "\U0001f600", "é"]
_texts = st.lists(st.lists(st.sampled_from(_PARTS) | st.text(max_size=3), max_size=12).map("".join), min_size=1)


def _told(all_words: list[str], numbered: Numbered) -> list[list[str]]:
    """The words of each text."""
    ids = iter(memoryview(numbered.ids).cast("I"))
    return [[all_words[next(ids)] for _ in range(length)] for length in memoryview(numbered.lengths).cast("I")]


@settings(max_examples=300, deadline=None)
@given(_texts, _texts, st.integers(1, 8))
def test_the_words_of_a_text_are_those_of_torchtext(first, second, max_tokens):
    numberer, known = Numberer(max_tokens), []
    for texts in (first, second):
        numbered = numberer.number(numbering.joined(texts))
        known += numbered.words
        expected = [_tokenise(text) for text in texts]
        assert _told(known, numbered) == [tokens[:max_tokens] or ["<unk>"] for tokens in expected]
        assert numbered.cut == sum(len(tokens) > max_tokens for tokens in expected)
    assert len(set(known)) == len(known), "a word is told once"


def _corpus(train: Iterable[str], test: Iterable[str]) -> Corpus:
    return Corpus("made", ("a", "b"), [(text, n % 2) for n, text in enumerate(train)], [(t, 0) for t in test])


def _crew(size: int):
    return lambda max_tokens: Crew(max_tokens, size, alone=0)


@pytest.fixture
def tiny_chunks(monkeypatch):
    monkeypatch.setattr(reader, "_CHUNK", 40)


def test_a_process_that_is_slow_to_be_asked_is_not_answered_for_by_another(monkeypatch):
    """The numbers of each process are told in the order in which it gave them, whichever thread is held up when."""
    chunks = [[f"word{number} word{number - 1} word{number % 7}"] for number in range(200)]
    ask = Crew._ask

    def held_up(self, lines):
        time.sleep(0.003 * (hash(lines) % 3 == 0))
        return ask(self, lines)

    monkeypatch.setattr(Crew, "_ask", held_up)
    known: dict[int, list[str]] = {}
    told = []
    with Crew(10, 3, alone=0) as members:
        for who, numbered in members.number(chunks):
            all_words = known.setdefault(who, [])
            all_words += numbered.words
            told += _told(all_words, numbered)
    assert told == [texts[0].split() for texts in chunks]


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(_texts, _texts, st.integers(1, 6), st.integers(2, 3))
def test_any_number_of_processes_gives_the_same_bits(tiny_chunks, train, test, max_tokens, size):
    source = _corpus([*train, "the cat the cat"], test)
    alone = words.encode(source, max_tokens, 30, 1, crew=_crew(1))
    assert same(words.encode(source, max_tokens, 30, 1, crew=_crew(size)), alone)


def test_a_large_corpus_gives_the_same_bits_where_processes_join_later(library_corpus, monkeypatch):
    monkeypatch.setattr(reader, "_CHUNK", 20_000)
    alone = words.encode(library_corpus, 60, 3000, 2, crew=_crew(1))
    for size, at_first in ((2, 0), (3, 300_000)):
        assert same(words.encode(library_corpus, 60, 3000, 2, crew=lambda n, s=size, a=at_first: Crew(n, s, a)), alone)


def test_a_small_corpus_starts_no_process(library_corpus, monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("a process was started")

    monkeypatch.setattr(crew, "cores", lambda: 4)
    monkeypatch.setattr(subprocess, "Popen", refuse)
    words.encode(library_corpus, 400, 50_000, 2)


def test_no_more_texts_are_read_than_are_soon_numbered():
    read = 0

    def chunks() -> Iterator[list[str]]:
        nonlocal read
        for number in range(40):
            read += 1
            yield [f"word{number}"]

    with Crew(10, 2, alone=0) as members:
        for number, _ in enumerate(members.number(chunks())):
            assert read - number <= 4


@pytest.mark.parametrize("lost", ["all from the start", "one midway", "all midway"])
def test_processes_that_die_or_cannot_be_started_change_nothing(library_corpus, monkeypatch, lost):
    monkeypatch.setattr(reader, "_CHUNK", 20_000)
    alone = words.encode(library_corpus, 400, 50_000, 2, crew=_crew(1))
    if lost == "all from the start":
        monkeypatch.setattr(sys, "executable", "/nowhere/python")

    def killing(max_tokens: int) -> Crew:
        members = Crew(max_tokens, 3, alone=0)
        number = members.number

        def interrupted(chunks):
            for done, numbered in enumerate(number(chunks)):
                if done == 5 and "midway" in lost:
                    for member in members._members[: 1 if lost == "one midway" else 3]:
                        member._process.kill()
                yield numbered

        monkeypatch.setattr(members, "number", interrupted)
        return members

    assert same(words.encode(library_corpus, 400, 50_000, 2, crew=killing), alone)


@pytest.mark.parametrize("end", [BadInput("dataset: row 7"), Stopped()], ids=["bad input", "stopped"])
def test_an_end_before_the_time_leaves_no_process_and_comes_at_once(end, monkeypatch):
    monkeypatch.setattr(reader, "_CHUNK", 1000)
    begun: list[Crew] = []
    read = 0

    def pairs() -> Iterator[tuple[str, int]]:
        nonlocal read
        while True:
            read += 1
            if read == 500 and isinstance(end, BadInput):
                raise end
            yield "some words of a text " * 10, 0

    def begin(max_tokens: int) -> Crew:
        begun.append(Crew(max_tokens, 2, alone=0))
        return begun[0]

    with pytest.raises(type(end)):
        words.encode(Corpus("made", ("a", "b"), pairs(), []), 9, 9, 1, stop=lambda: read > 500, crew=begin)
    assert read < 520
    assert [member._process.returncode is not None for member in begun[0]._members] == [True, True]


def test_processes_end_when_the_one_that_asks_them_is_killed():
    code = """
from engine.data.crew import Crew
members = Crew(400, 2, alone=0)
def endless():
    while True:
        yield ["some words"] * 1000
for done, _ in enumerate(members.number(endless())):
    if done == 10:
        print(*(member._process.pid for member in members._members), flush=True)
"""
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    children = [int(pid) for pid in parent.stdout.readline().split()]
    assert len(children) == 2 and all(_alive(pid) for pid in children)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    deadline = time.monotonic() + 120
    while any(map(_alive, children)) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not any(map(_alive, children))


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_progress_counts_the_texts_and_says_of_how_many_where_that_is_known(monkeypatch, tiny_chunks):
    monkeypatch.setattr(reader, "_PAUSE", 0)
    said: list[str] = []
    source = _corpus(["some words of a text that is long enough"] * 3, ["one more"])
    words.encode(source, 400, 100, 1, said.append)
    assert said[0] == "encoding made: 1 of 4 texts" and said[-1] == "encoding made: 4 of 4 texts"
    said.clear()
    streamed = Corpus("made", ("a", "b"), (pair for pair in source.train), (pair for pair in source.test))
    words.encode(streamed, 400, 100, 1, said.append)
    assert said[-1] == "encoding made: 4 texts"
    monkeypatch.setattr(reader, "_PAUSE", 60)
    words.encode(source, 400, 100, 1, said.append)
    assert said[-1] == "encoding made: 4 texts", "nothing new was said"
