"""Checkpoints: found here or brought from a hub, and refused in one sentence where they cannot be fine-tuned."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from engine.errors import BadInput
from engine.models import checkpoints, facts
from tests.hub import Hub, Repository, serving

COMMIT = "a1" * 20
NAME = "someone/small-bert"
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "goal", "market", "##s"]


@pytest.fixture(scope="session")
def made(tmp_path_factory) -> Path:
    """A BERT of random weights, small enough to send in a moment, with its tokenizer."""
    from transformers import BertConfig, BertForMaskedLM, BertTokenizerFast

    folder = tmp_path_factory.mktemp("bert")
    sizes = {"hidden_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    BertForMaskedLM(BertConfig(vocab_size=2000, max_position_embeddings=40, **sizes)).save_pretrained(folder)
    (folder / "words.txt").write_text("\n".join(WORDS))
    BertTokenizerFast(vocab=str(folder / "words.txt")).save_pretrained(folder)
    (folder / "words.txt").unlink()
    return folder


@pytest.fixture
def bert(made, tmp_path) -> Path:
    """A copy of it that a test may break."""
    return Path(shutil.copytree(made, tmp_path / "bert"))


@pytest.fixture
def hub(made):
    files = {file.name: file.read_bytes() for file in made.iterdir()}
    files |= {"pytorch_model.bin": b"\x80\x04 a pickle", "README.md": b"# small", "onnx/model.safetensors": b"other"}
    with serving(Repository("models", NAME, COMMIT, files)) as served:
        yield served


def resolve(hub: Hub, home: Path, given: str, download: bool = True, **environment: str) -> tuple[str, str, list[str]]:
    """What `resolve` gives in a process of its own: the folder, or the sentence; the words of its progress."""
    code = (
        "import json, sys\nfrom engine.errors import BadInput\nfrom engine.models import checkpoints\nwords = []\n"
        f"try: found, error = str(checkpoints.resolve({given!r}, {download}, words.append)), ''\n"
        "except BadInput as bad: found, error = '', str(bad)\n"
        "print(json.dumps([found, error, words])); assert 'torch' not in sys.modules, 'a launch has no time for torch'"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        check=False,
        capture_output=True,
        text=True,
        env={**hub.environment(home), **environment},
        timeout=300,
    )
    assert done.stderr == ""
    return tuple(json.loads(done.stdout))


def test_a_checkpoint_comes_from_the_hub_once_and_is_then_used_without_it(hub, made, tmp_path):
    found, error, words = resolve(hub, tmp_path / "hf", NAME)
    assert (error, Path(found).name) == ("", COMMIT)
    assert any("model.safetensors: 0." in word for word in words)
    assert (Path(found) / "model.safetensors").read_bytes() == (made / "model.safetensors").read_bytes()
    assert checkpoints.fingerprint(Path(found)) == checkpoints.fingerprint(made)
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= {file.name for file in Path(found).iterdir()}
    hub.log.clear()
    assert resolve(hub, tmp_path / "hf", NAME)[0] == found
    assert resolve(hub, tmp_path / "hf", f"{NAME}@{COMMIT}")[0] == found
    assert resolve(hub, tmp_path / "hf", NAME, download=False, HF_HUB_OFFLINE="1")[0] == found
    assert hub.log == []


def test_transformers_loads_what_was_fetched_from_the_cache_alone(hub, tmp_path):
    found, _, _ = resolve(hub, tmp_path / "hf", NAME)
    code = (
        "from transformers import AutoModelForSequenceClassification as Auto, AutoTokenizer\n"
        f"print(Auto.from_pretrained({found!r}, num_labels=3).num_labels, AutoTokenizer.from_pretrained({found!r})."
        "tokenize('the goals'))"
    )
    environment = hub.environment(tmp_path / "hf") | {"HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, env=environment, timeout=300
    )
    assert done.stdout.strip() == "3 ['the', 'goal', '##s']"


def test_a_pickle_is_never_asked_for(hub, tmp_path):
    assert resolve(hub, tmp_path / "hf", NAME)[1] == ""
    assert hub.asked("model.safetensors")
    for method in ("GET", "HEAD"):
        for file in (".bin", "README", "onnx"):
            assert not hub.asked(file, method)


def test_a_repository_of_pickles_alone_is_refused_before_anything_is_fetched(hub, tmp_path):
    (whole,) = hub.repositories
    files = {name: content for name, content in whole.files.items() if not name.endswith(".safetensors")}
    hub.repositories = [Repository("models", NAME, COMMIT, files)]
    _, error, _ = resolve(hub, tmp_path / "hf", NAME)
    assert "only in pytorch_model.bin, a format that can run code and is never read" in error
    assert not hub.asked("/resolve/") + hub.asked("/resolve/", "HEAD")


def test_a_transfer_that_breaks_once_goes_on_from_where_it_was(hub, made, tmp_path):
    hub.breaks["model.safetensors"] = 1
    found, error, _ = resolve(hub, tmp_path / "hf", NAME)
    assert error == ""
    half = (made / "model.safetensors").stat().st_size // 2
    assert [asked for _, _, asked in hub.asked("model.safetensors")] == ["", f"bytes={half}-"]
    assert (Path(found) / "model.safetensors").read_bytes() == (made / "model.safetensors").read_bytes()


def test_a_transfer_that_keeps_breaking_is_said_and_the_next_launch_goes_on(hub, made, tmp_path):
    hub.breaks["model.safetensors"] = 1
    hub.cut_after = {"model.safetensors"}
    _, error, _ = resolve(hub, tmp_path / "hf", NAME)
    assert error == (
        f"model.checkpoint: {NAME} could not be fetched from the hub (the connection broke); launch again and it goes "
        "on where it broke off, or give a transformers folder."
    )
    assert "is neither a folder nor" not in error
    _, waiting, _ = resolve(hub, tmp_path / "hf", NAME, download=False)
    assert waiting.startswith(f"model.checkpoint: {NAME} ")
    hub.cut_after = set()
    hub.log.clear()
    found, error, _ = resolve(hub, tmp_path / "hf", NAME)
    assert error == ""
    half = (made / "model.safetensors").stat().st_size // 2
    assert [asked for _, _, asked in hub.asked("model.safetensors")] == [f"bytes={half}-"]
    assert not hub.asked("tokenizer.json")
    assert (Path(found) / "model.safetensors").read_bytes() == (made / "model.safetensors").read_bytes()


def test_content_that_is_not_what_the_hub_named_is_not_kept(hub, tmp_path):
    hub.garbles.add("model.safetensors")
    _, error, _ = resolve(hub, tmp_path / "hf", NAME)
    assert "model.safetensors arrived damaged" in error
    hub.garbles.clear()
    assert resolve(hub, tmp_path / "hf", NAME)[1] == ""


def test_a_cut_off_file_in_the_cache_is_fetched_again(hub, tmp_path):
    found, _, _ = resolve(hub, tmp_path / "hf", NAME)
    blob = (Path(found) / "model.safetensors").resolve()
    whole = blob.read_bytes()
    blob.write_bytes(whole[:1000])
    _, error, _ = resolve(hub, tmp_path / "hf", NAME, download=False)
    assert "has a model.safetensors that is cut off or damaged" in error
    assert resolve(hub, tmp_path / "hf", NAME)[1] == ""
    assert blob.read_bytes() == whole


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (f"{NAME}@{'b2' * 20}", "the hub has no such revision of it"),
        (f"{NAME}@v9", "the hub has no such revision of it"),
        ("someone/else", "the hub has no such repository, or it is private"),
    ],
)
def test_a_name_or_a_revision_that_the_hub_does_not_have(hub, tmp_path, given, why):
    _, error, _ = resolve(hub, tmp_path / "hf", given)
    assert error == (
        f"model.checkpoint: {given} could not be fetched from the hub ({why}); give another hub name, one with "
        "@revision, or a transformers folder."
    )


def test_offline_and_not_here_says_what_would_do(hub, tmp_path):
    _, error, _ = resolve(hub, tmp_path / "hf", NAME, HF_HUB_OFFLINE="1")
    assert "(HF_HUB_OFFLINE is set); unset it and launch again, or give a transformers folder." in error
    _, error, _ = resolve(hub, tmp_path / "hf", NAME, download=False)
    assert "is neither a folder nor in the hub's cache on this machine" in error
    assert hub.log == []


def test_no_hub_at_all(hub, tmp_path):
    address = "http://127.0.0.1:9"  # nobody listens
    _, error, _ = resolve(hub, tmp_path / "hf", NAME, HF_ENDPOINT=address)
    assert "(the hub cannot be reached); launch again" in error


def test_the_facts_of_a_folder(made):
    found = facts.check(made)
    assert (found.model_type, found.classifier, found.weights) == ("bert", True, ("model.safetensors",))
    assert (found.hidden, found.positions, found.vocabulary) == (64, 40, 2000)


def test_a_folder_is_named_absolutely(bert, monkeypatch):
    monkeypatch.chdir(bert.parent)
    assert checkpoints.resolve("bert", download=False) == bert
    monkeypatch.setenv("HOME", str(bert.parent))
    assert checkpoints.resolve("~/bert", download=False) == bert


def edit(folder: Path, **changes: object) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def cut_weights(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


def only_pickles(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def split_weights(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "model-00001-of-00002.safetensors")
    parts = {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": parts}))


def lose_index(folder: Path) -> None:
    split_weights(folder)
    (folder / "model.safetensors.index.json").write_text("[]")


def forget_words(folder: Path) -> None:
    for name in ("tokenizer.json", "vocab.txt"):
        (folder / name).unlink(missing_ok=True)


def tokenizer_of_its_own(folder: Path) -> None:
    (folder / "tokenizer_config.json").write_text('{"auto_map": {"AutoTokenizer": ["own.py", null]}}')


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda folder: (folder / "config.json").unlink(), "holds no config.json"),
        (lambda folder: (folder / "config.json").write_text("{"), "has a config.json that is no JSON object"),
        (lambda folder: (folder / "config.json").write_text("[" * 100_000), "has a config.json that is no JSON object"),
        (lambda folder: (folder / "config.json").write_bytes(b"\xff\xfe"), "has a config.json that is no JSON object"),
        (lambda folder: (folder / "config.json").write_text("{}"), "without a model_type"),
        (lambda folder: edit(folder, auto_map={"AutoModel": "own.Model"}), "needs its own code, which is never run"),
        (tokenizer_of_its_own, "needs its own code, which is never run"),
        (lambda folder: edit(folder, model_type="vit"), "is a vit, of which transformers makes no sequence classifier"),
        (lambda folder: edit(folder, model_type="mine"), "is a mine, of which transformers makes no sequence classif"),
        (only_pickles, "only in pytorch_model.bin, a format that can run code and is never read; convert it to safet"),
        (lambda folder: (folder / "model.safetensors").unlink(), "holds no model.safetensors"),
        (cut_weights, "has a model.safetensors that is cut off or damaged"),
        (lambda folder: (folder / "model.safetensors").write_bytes(b""), "that is cut off or damaged"),
        (split_weights, "lacks model-00002-of-00002.safetensors, which its index names"),
        (lose_index, "has parts but no model.safetensors.index.json"),
        (forget_words, "has no tokenizer"),
    ],
)
def test_a_folder_that_cannot_be_fine_tuned_is_refused_in_one_sentence(bert, spoil, why):
    spoil(bert)
    with pytest.raises(BadInput) as refused:
        checkpoints.resolve(str(bert), download=False)
    said = str(refused.value)
    assert said.startswith(f"model.checkpoint: {bert} ")
    assert why in said
    assert said.count("\n") == 0


@pytest.mark.parametrize("given", ["./nowhere", "/nowhere/at/all", "~/nowhere", "a b", "x" * 5000 + "/../", "a/b/c"])
def test_what_is_neither_a_folder_nor_a_hub_name(given, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(BadInput, match="does not exist; give a transformers folder or a hub name"):
        checkpoints.resolve(given, download=False)


def test_the_fingerprint_follows_the_content_and_nothing_else(bert):
    before, words = checkpoints.fingerprint(bert), checkpoints.fingerprint(bert, weights=False)
    os.utime(bert / "model.safetensors", (1, 1))
    (bert / "README.md").write_text("changed")
    assert checkpoints.fingerprint(bert) == before
    content = (bert / "model.safetensors").read_bytes()
    (bert / "model.safetensors").write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert checkpoints.fingerprint(bert) != before
    assert checkpoints.fingerprint(bert, weights=False) == words
    edit(bert, vocab_size=1999)
    assert checkpoints.fingerprint(bert, weights=False) != words


def test_the_table_of_classifiers_is_the_one_transformers_uses():
    from transformers.models.auto import modeling_auto

    assert facts._classifiers() == set(modeling_auto.MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES)
