"""RunSpec: defaults, settings by dotted path, and one sentence for everything that is wrong."""

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import catalog, defaults
from engine import spec as specs
from engine.errors import BadInput
from engine.record import pace, rundir
from engine.record.events import EventLog


def refused(**given) -> str:
    with pytest.raises(BadInput) as caught:
        specs.compose(**{"model": "cnn", "dataset": "pydoc", **given})
    words = str(caught.value)
    assert "\n" not in words
    assert words.endswith((".", "?"))
    return words


def test_defaults_come_from_the_schedules_card_and_from_model_and_dataset():
    spec = specs.compose("cnn", "pydoc")
    card, usual = catalog.SCHEDULES["imp"], defaults.of("cnn", "pydoc")
    assert (spec.schedule.rate, spec.schedule.rounds, spec.schedule.rewind) == (card.rate, card.rounds, "init")
    assert spec.training.epochs == usual["training.epochs"]
    assert spec.arms == ("ticket", "reinit", "shuffle")
    assert spec.seeds == (0, 1, 2)
    assert spec.data.valid_fraction == 0.1
    assert spec.trainings == 3 * (1 + 10 * 3)


def test_settings_go_over_defaults_whatever_their_type():
    spec = specs.compose(
        "cnn", "pydoc", settings={"model.widths": "2,7", "data.train_size": "500", "training.learning_rate": "1e-2",
                                  "schedule.prunable": "encoder, head", "threads": "1", "verdict.margin": 0.02}
    )  # fmt: skip
    assert spec.model.widths == (2, 7)
    assert (spec.data.train_size, spec.threads) == (500, 1)
    assert spec.training.learning_rate == 0.01
    assert spec.schedule.prunable == ("encoder", "head")
    assert specs.compose("cnn", "pydoc", settings={"data.train_size": "none"}).data.train_size is None


def test_the_ticket_is_always_among_the_arms_since_the_others_use_its_mask():
    assert specs.compose("cnn", "pydoc", arms=["reinit"]).arms == ("ticket", "reinit")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"model": "cmn"}, ["model", "'cmn'", "cnn"]),
        ({"dataset": "agnews"}, ["dataset", "'agnews'", "ag_news"]),
        ({"schedule": "imp-globl"}, ["schedule", "imp-global"]),
        ({"arms": ["tickt"]}, ["arm", "'tickt'", "ticket"]),
        ({"arms": ["ticket", "ticket"]}, ["arm", "twice"]),
        ({"seeds": 0}, ["seeds", "0", "1"]),
        ({"seeds": [1, 1]}, ["seeds", "twice"]),
        ({"settings": {"schedule.rate": "0"}}, ["schedule.rate", "'0'", "above 0 and below 1"]),
        ({"settings": {"schedule.rate": "1"}}, ["schedule.rate", "'1'", "above 0 and below 1"]),
        ({"settings": {"schedule.rate": "nan"}}, ["schedule.rate", "nan"]),
        ({"settings": {"schedule.rate": "half"}}, ["schedule.rate", "half", "number"]),
        ({"settings": {"schedule.rewind": "halfway"}}, ["schedule.rewind", "halfway", "500it", "1ep", "end"]),
        ({"settings": {"schedule.rewind": "9ep"}}, ["schedule.rewind", "9ep", "6 epochs", "end"]),
        ({"settings": {"schedule.rewind": "05it"}}, ["schedule.rewind", "05it", "500it"]),
        ({"settings": {"schedule.factors": "head:9"}}, ["schedule.factors", "head:9", "below 5"]),
        ({"settings": {"schedule.factors": "head:x"}}, ["schedule.factors", "'x'", "number"]),
        ({"settings": {"schedule.factors": "head"}}, ["schedule.factors", "number"]),
        ({"settings": {"schedule.factors": "head:0.5,head:2"}}, ["schedule.factors", "head", "twice"]),
        ({"settings": {"schedule.factors": "haed:0.5"}}, ["schedule.factors", "'haed'", "head", "bias", "layer"]),
        ({"settings": {"schedule.factors": ":0.5"}}, ["schedule.factors", "''", "kind"]),
        ({"settings": {"schedule.rewind": 500}}, ["schedule.rewind", "500", '"500it"']),
        ({"settings": {"schedule.prunable": []}}, ["schedule.prunable", "at least one of embedding"]),
        ({"settings": {"schedule.criterion": ["a"]}}, ["schedule.criterion", "['a']", "one of magnitude"]),
        ({"settings": {"schedule.rounds": True}}, ["schedule.rounds", "True", "a whole number, at least 0"]),
        ({"settings": {"schedule.factors": {"head": True}}}, ["schedule.factors.head", "True", "above 0"]),
        ({"schedule": "imp-global", "settings": {"schedule.factors": "head:0.5"}}, ["schedule.factors", "global"]),
        ({"model": "lstm", "schedule": "synflow"}, ["schedule.criterion", "synflow", "lstm", "cnn"]),
        ({"schedule": "no/such.toml"}, ["schedule", "no/such.toml", "TOML"]),
        ({"settings": {"training.optimizer": "lion"}}, ["training.optimizer", "lion", "adam", "sgd"]),
        ({"settings": {"schedule.prunable": "heads"}}, ["schedule.prunable", "heads", "head"]),
        ({"settings": {"schedule.criterion": "magnitud"}}, ["schedule.criterion", "magnitude"]),
        ({"settings": {"training.epochs": "0"}}, ["training.epochs", "'0'", "1"]),
        ({"settings": {"training.epoch": "3"}}, ["training.epoch", "training.epochs"]),
        ({"settings": {"model.widths": "3,0"}}, ["model.widths", "'0'", "above 0"]),
        ({"settings": {"model.depth": "3"}}, ["model.depth"]),
        ({"settings": {"device": "gpu"}}, ["device", "gpu", "cuda"]),
    ],
)
def test_bad_input_is_one_sentence_that_names_field_value_and_remedy(given, words):
    said = refused(**given)
    assert all(word in said for word in words), said


def test_a_line_without_an_equals_sign_is_refused():
    with pytest.raises(BadInput, match="key=value"):
        specs.parse_settings(["training.epochs"])


def test_what_is_dumped_is_loaded(tmp_path):
    spec = specs.compose("cnn", "ag_news", settings={"model.filters": "7"})
    (tmp_path / "spec.json").write_bytes(specs.dump(spec))
    assert specs.load(tmp_path / "spec.json") == spec


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"version": 3}, "upgrade"),
        ({"colour": "red"}, "colour"),
        ({"model": {"name": "cnn", "depth": 3}}, "depth"),
        ({"model": None}, "model"),
        ({"seeds": []}, "seeds"),
    ],
)
def test_a_spec_of_another_make_is_refused_on_load(tmp_path, change, words):
    tree = orjson.loads(specs.dump(specs.compose("cnn", "pydoc"))) | change
    (tmp_path / "spec.json").write_bytes(orjson.dumps(tree))
    with pytest.raises(BadInput, match=words):
        specs.load(tmp_path / "spec.json")


@given(
    st.binary(max_size=200)
    | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(lambda value: _json(value))  # noqa: PLW0108  defined below
)
@settings(max_examples=200, deadline=None)
def test_any_bytes_as_a_spec_are_refused_in_one_sentence(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("spec") / "spec.json"
    path.write_bytes(data)
    with pytest.raises(BadInput):
        specs.load(path)


def _json(value) -> bytes:
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError:  # integers over 64 bits, lone surrogates
        return b"[]"


def test_every_settable_path_has_a_meaning_and_takes_its_own_default():
    for path, (default, meaning) in specs.settable("cnn").items():
        assert meaning, path
        if default != "by schedule":
            specs.compose("cnn", "pydoc", settings={path: default})


def test_the_estimate_is_the_median_epoch_of_the_newest_run_of_the_same_cost(tmp_path):
    def made(**settings) -> dict:
        spec = specs.compose("cnn", "pydoc", settings=settings)
        run = rundir.create(tmp_path, specs.dump(spec), "cnn", "pydoc", "imp")
        log = EventLog(run)
        for seconds in (9.0, 1.0, 3.0):
            log.append("epoch", seconds=seconds)
        log.close()
        rundir.write_status(run, {"state": "finished", "process": rundir.identity()})
        return spec.model_dump(mode="json")

    assert pace.seconds_an_epoch(tmp_path, made()) == 3.0
    other = specs.compose("cnn", "pydoc", settings={"model.filters": "7"}).model_dump(mode="json")
    assert pace.seconds_an_epoch(tmp_path, other) is None
    longer = specs.compose("cnn", "pydoc", settings={"training.epochs": "50"}).model_dump(mode="json")
    assert pace.seconds_an_epoch(tmp_path, longer) == 3.0


def test_a_factor_may_be_of_every_kind_and_of_a_layer():
    given = "embedding:2,encoder:1.5,head:0.5,bias:0.1,embedding.weight:3"
    factors = specs.compose("cnn", "pydoc", settings={"schedule.factors": given}).schedule.factors
    assert factors == {"embedding": 2.0, "encoder": 1.5, "head": 0.5, "bias": 0.1, "embedding.weight": 3.0}


ONLY_CONTROLS = "only the controls use schedule.rewind="
BEGIN = "from the rewind point, while the ticket starts from trained weights"
NOT_BEFORE = "is no pruning before training"
RANDOM = "the arm random repeats the ticket's kind of mask"


@pytest.mark.parametrize(
    ("schedule", "arms", "given", "words"),
    [
        ("imp", ["ticket", "reinit", "shuffle", "same-sign", "random"], {}, []),
        ("late-500it", ["ticket", "shuffle"], {}, []),
        ("snip", ["ticket", "shuffle"], {}, []),
        ("snip", ["ticket"], {"schedule.rewind": "100it"}, []),
        ("finetune", ["ticket", "reinit"], {}, []),
        ("finetune", ["ticket", "reinit"], {"schedule.rewind": "1ep"}, [f"{ONLY_CONTROLS}1ep"]),
        ("finetune", ["ticket", "shuffle"], {}, [f"shuffle starts {BEGIN}"]),
        ("lr-rewind", ["shuffle", "same-sign"], {"schedule.rewind": "end"},
         [f"{ONLY_CONTROLS}end", f"shuffle and same-sign start {BEGIN}"]),
        *((name, ["ticket"], {"schedule.rewind": "end"}, [f"{name} with schedule.rewind=end {NOT_BEFORE}"])
          for name in ("snip", "grasp", "synflow")),
        ("snip", ["ticket"], {"schedule.retrain": "finetune"}, [f"snip with schedule.retrain=finetune {NOT_BEFORE}"]),
        ("snip", ["ticket"], {"schedule.retrain": "finetune", "schedule.rewind": "1ep"}, [NOT_BEFORE]),
        ("random", ["ticket", "random"], {}, [RANDOM]),
        ("random", ["ticket", "shuffle"], {}, []),
    ],
)  # fmt: skip
def test_what_does_not_mean_what_it_seems_is_remarked_on(schedule, arms, given, words):
    said = specs.remarks(specs.compose("cnn", "pydoc", schedule, arms, settings=given))
    for word in words:
        assert any(word in one for one in said), said
    silent = [part for part in (ONLY_CONTROLS, BEGIN, NOT_BEFORE, RANDOM) if not any(part in word for word in words)]
    assert not [one for one in said if any(part in one for part in silent)]
