"""A checkpoint's own tokenizer decides the ids, whatever else is set; and nothing of it is ever run as code."""

import json
import shutil
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from engine.data import encoding, pieces, reader
from engine.data.corpus import Corpus
from engine.errors import BadInput, Stopped
from engine.places import encoded_root
from engine.spec import DataSpec
from tests.checkpoints import small
from tests.data.same import same

_WORDS = ["the", "cat", "dog", "purr", "##ed", "##s", ",", ".", "words", "of", "class", "text", "title", "train", "1"]


@pytest.fixture(scope="session")
def made(tmp_path_factory) -> Path:
    """Checkpoints of three kinds, each of 64 positions."""
    folder = tmp_path_factory.mktemp("checkpoints")
    for kind in ("bert", "distilbert", "roberta"):
        small(folder / kind, _WORDS, kind)
    return folder


@pytest.fixture
def bert(made, tmp_path) -> Path:
    """A copy that a test may spoil."""
    return Path(shutil.copytree(made / "bert", tmp_path / "bert"))


def _corpus(train: list[str], test: list[str]) -> Corpus:
    return Corpus("made", ("a", "b"), [(text, n % 2) for n, text in enumerate(train)], [(t, 0) for t in test], "a note")


_TEXTS = ["The cat purrs, the dog purred.", "strange words", "", "[SEP] [PAD] the", "é \ud83d the", "cat " * 100_000]


def _change(file: Path, **facts: object) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | facts))


def _ids(texts: encoding.Texts) -> list[list[int]]:
    return [texts.tokens[a:b].tolist() for a, b in zip(texts.offsets[:-1], texts.offsets[1:], strict=True)]


@pytest.mark.parametrize(("kind", "room"), [("bert", 64), ("distilbert", 64), ("roberta", 62)])
@pytest.mark.parametrize("max_tokens", [5, 400])
def test_ids_are_the_tokenizers_own_cut_to_what_the_model_can_read(made, kind, room, max_tokens):
    from transformers import AutoTokenizer

    got = pieces.encode(_corpus(_TEXTS, _TEXTS[:2]), made / kind, max_tokens)
    texts = [text.replace("\ud83d", "?") for text in _TEXTS]  # half a surrogate pair, which JSON may hold
    tokenizer = AutoTokenizer.from_pretrained(made / kind)
    longest = min(max_tokens, room)
    expected = [tokenizer(text, truncation=True, max_length=longest)["input_ids"] for text in texts]
    assert _ids(got.train) == expected and _ids(got.test) == expected[:2]
    assert len(expected[-1]) == longest and expected[0][0] == tokenizer.cls_token_id
    whole = [len(tokenizer(text)["input_ids"]) for text in [*texts, *texts[:2]]]
    assert got.cut == sum(length > longest for length in whole)
    assert got.train.labels.tolist() == [0, 1, 0, 1, 0, 1] and got.note == "a note"
    assert got.train.tokens.dtype == np.uint16 and not got.train.tokens.flags.writeable


def test_the_vocabulary_names_each_id(made):
    got = pieces.encode(_corpus(["The cat purred", "dog"], ["cat"]), made / "bert", 400)
    told = [[got.vocabulary[id_] for id_ in ids] for ids in _ids(got.train)]
    assert told == [["[CLS]", "the", "cat", "purr", "##ed", "[SEP]"], ["[CLS]", "dog", "[SEP]"]]
    assert got.vocabulary == ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *_WORDS]


def test_batches_change_nothing_and_a_stop_is_heard_between_them(made, monkeypatch):
    source = _corpus(_TEXTS * 3, _TEXTS)
    whole = pieces.encode(source, made / "bert", 20)
    monkeypatch.setattr(reader, "_CHUNK", 10)
    assert same(pieces.encode(source, made / "bert", 20), whole)
    with pytest.raises(Stopped):
        pieces.encode(source, made / "bert", 20, stop=lambda: True)


def test_a_tokenizer_without_special_tokens_leaves_no_text_empty(bert):
    _change(bert / "tokenizer.json", post_processor=None)
    _change(bert / "tokenizer_config.json", tokenizer_class="PreTrainedTokenizerFast")
    got = pieces.encode(_corpus(["cat", ""], ["  "]), bert, 400)
    unknown = got.vocabulary.index("[UNK]")
    assert _ids(got.train)[1] == [unknown] and _ids(got.test) == [[unknown]]


_SPEC = DataSpec(name="ag_news")


def test_what_the_tokenizer_made_comes_back_from_the_cache_wherever_the_same_files_lie(ag_news, bert, made):
    first = encoding.load(_SPEC, checkpoint=made / "bert")
    assert first.vocabulary[5:7] == ["the", "cat"] and len(first.train) == 20
    said: list[str] = []
    assert same(encoding.load(_SPEC, said.append, checkpoint=bert), first) and not said
    rarer = _SPEC.model_copy(update={"min_count": 9, "vocabulary_size": 5})
    assert same(encoding.load(rarer, said.append, checkpoint=bert), first), "those are about words"
    assert not same(encoding.load(_SPEC), first)
    _change(bert / "tokenizer_config.json", do_lower_case=False)
    assert not same(encoding.load(_SPEC, said.append, checkpoint=bert), first) and said


def _spoilt(bert: Path, how: str) -> Path:
    file = bert / "tokenizer.json"
    match how:
        case "no folder":
            return bert / "nowhere"
        case "empty folder":
            shutil.rmtree(bert)
            bert.mkdir()
        case "no tokenizer":
            for path in [file, bert / "tokenizer_config.json", *bert.glob("vocab*")]:
                path.unlink()
        case "no config":
            (bert / "config.json").unlink()
        case "cut off":
            file.write_bytes(file.read_bytes()[:200])
        case "no json":
            file.write_bytes(b"\xff\0")
        case "other json":
            file.write_text('{"version": "1.0"}')
        case "broken config":
            (bert / "config.json").write_text("{")
    return bert


_HOW = ["no folder", "empty folder", "no tokenizer", "no config", "cut off", "no json", "other json", "broken config"]


@pytest.mark.parametrize("how", _HOW)
def test_a_checkpoint_without_a_sound_tokenizer_is_refused_in_one_sentence(ag_news, bert, how):
    with pytest.raises(BadInput, match=r"^model.checkpoint: ") as raised:
        encoding.load(_SPEC, checkpoint=_spoilt(bert, how))
    assert "\n" not in str(raised.value) and str(raised.value).endswith(".")
    assert not encoded_root().exists() or not list(encoded_root().iterdir())


def test_too_few_tokens_for_the_special_ones_are_refused(ag_news, bert):
    with pytest.raises(BadInput, match=r"^data.max_tokens: 2 given, .* give at least 3"):
        encoding.load(_SPEC.model_copy(update={"max_tokens": 2}), checkpoint=bert)


def test_code_that_comes_with_a_tokenizer_is_not_run(ag_news, bert, tmp_path):
    (bert / "own.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nclass Own: pass\n")
    auto_map = {"AutoTokenizer": ["own.Own", None]}
    _change(bert / "tokenizer_config.json", tokenizer_class="Own", auto_map=auto_map)
    with suppress(BadInput):
        encoding.load(_SPEC, checkpoint=bert)
    assert not (tmp_path / "ran").exists()
