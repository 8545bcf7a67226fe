"""The arms: what each starts from, under which mask, and that all share what they must and nothing else."""

import pytest
import torch

from engine import catalog, lottery
from engine.errors import Stopped
from engine.models import network
from engine.outcomes import Diverged
from engine.pruning import mask as masks
from engine.randomness import derive
from engine.spec import compose
from tests.checkpoints import small
from tests.science.conftest import CLASSES, VOCABULARY, WORDS, Memory, by_magnitude, conducted, small_spec

ALL = list(catalog.ARMS)


@pytest.fixture
def groups(monkeypatch) -> list:
    """Every group that an experiment trains, with what came of it: [({arm: start}, {arm: trained})]."""
    seen = []
    real = lottery.train

    def train(group, *rest):
        seen.append((dict(group), real(group, *rest)))
        return seen[-1][1]

    monkeypatch.setattr(lottery, "train", train)
    return seen


def same(one, other) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_every_arm_is_trained_in_every_round_and_shares_round_0(texts, groups):
    told = conducted(small_spec(arms=ALL), texts).numbers()
    assert set(told) == {(0, 0, "dense")} | {(0, number, arm) for number in (1, 2) for arm in ALL}


@pytest.mark.parametrize("arm", [arm for arm in ALL if arm != "ticket"])
def test_an_arm_changes_no_number_of_the_ticket(texts, arm):
    alone = conducted(small_spec(arms=["ticket"]), texts).numbers()
    beside = conducted(small_spec(arms=[arm, "ticket"]), texts).numbers()
    assert {key: beside[key] for key in alone} == alone


def test_controls_of_the_initial_weights_keep_the_tickets_mask(texts, groups):
    conducted(small_spec(arms=ALL), texts)
    for group, _ in groups[1:]:
        for arm in ("reinit", "same-sign"):
            assert same(group[arm].mask, group["ticket"].mask)


def test_same_sign_has_fresh_sizes_under_the_rewound_signs(texts, groups):
    journal = conducted(small_spec(arms=ALL, **{"schedule.rewind": "5it"}), texts)
    for group, _ in groups[1:]:
        start = group["same-sign"]
        rewound = journal.rewinds[0]
        assert start.begin == 5
        matrices = [name for name in rewound if rewound[name].dim() > 1]
        for name in matrices:
            assert torch.equal(start.weights[name].sign(), rewound[name].sign()), name
            assert not torch.equal(start.weights[name].abs(), rewound[name].abs()), name


def test_finetune_and_lr_rewind_go_on_from_what_they_trained_themselves(texts, groups):
    conducted(small_spec(arms=ALL), texts)
    for arm in ("finetune", "lr-rewind"):
        trained = groups[0][1]["dense"].weights
        mask = {name: torch.ones_like(kept) for name, kept in groups[1][0]["ticket"].mask.items()}
        mask["embedding.weight"][0] = False
        for group, results in groups[1:]:
            start = group[arm]
            assert same(start.weights, trained)
            assert start.begin == 0
            assert start.final is (arm == "finetune")
            assert same(start.mask, masks.prune(by_magnitude(trained, mask), mask, 0.3, "layerwise"))
            trained, mask = results[arm].weights, start.mask


def test_random_masks_are_nested_rewound_and_of_the_tickets_densities(texts, groups):
    journal = conducted(small_spec(arms=ALL), texts)
    first, second = groups[1][0], groups[2][0]
    for group in (first, second):
        assert same(group["random"].weights, journal.rewinds[0])
        entries = masks.support(journal.rewinds[0])
        assert masks.densities(group["random"].mask, entries) == masks.densities(group["ticket"].mask, entries)
        assert not same(group["random"].mask, group["ticket"].mask)
    assert all((first["random"].mask[name] | ~kept).all() for name, kept in second["random"].mask.items())


def test_reinit_own_draws_afresh_every_round_and_prunes_what_that_trained_to(texts, groups):
    conducted(small_spec(arms=ALL), texts)
    (_, dense), (one, trained), (two, _) = groups
    assert same(one["reinit-own"].mask, one["ticket"].mask), "both are pruned from the dense network in round 1"
    weights = trained["reinit-own"].weights
    expected = masks.prune(by_magnitude(weights, one["reinit-own"].mask), one["reinit-own"].mask, 0.3, "layerwise")
    assert same(two["reinit-own"].mask, expected)
    assert not same(two["reinit-own"].mask, two["ticket"].mask)
    fresh = [group["reinit-own"].weights["head.weight"] for group in (one, two)]
    assert not torch.equal(*fresh)
    assert not torch.equal(fresh[0], one["reinit"].weights["head.weight"])
    assert dense.keys() == {"dense"}


@pytest.mark.parametrize("retrain", ["finetune", "lr-rewind"])
def test_a_schedule_that_bears_an_arms_name_trains_its_ticket_so(texts, retrain):
    by_schedule = conducted(small_spec(schedule=retrain, arms=["ticket"]), texts).numbers()
    as_arm = conducted(small_spec(arms=["ticket", retrain]), texts).numbers()
    for number in (1, 2):
        assert by_schedule[0, number, "ticket"][3:] == as_arm[0, number, retrain][3:]


def test_the_schedule_random_prunes_its_ticket_at_random(texts, groups):
    conducted(small_spec(schedule="random", arms=["ticket"]), texts)
    sizes = masks.prune(
        by_magnitude(groups[0][1]["dense"].weights, groups[1][0]["ticket"].mask),
        groups[1][0]["ticket"].mask,
        0.3,
        "layerwise",
    )
    assert not same(groups[2][0]["ticket"].mask, sizes)


def test_in_a_run_whose_schedule_is_random_the_arm_random_draws_masks_of_its_own(texts, groups):
    conducted(small_spec(schedule="random", arms=["ticket", "random"]), texts)
    for group, _ in groups[1:]:
        assert not same(group["ticket"].mask, group["random"].mask)


def test_small_dense_is_told_of_where_no_network_is_so_small(texts, groups):
    asked = []
    journal = conducted(small_spec(arms=["ticket", "small-dense"]), texts, narrower=asked.append)
    assert [f["round"] for event, f in journal.told if "small-dense is left out" in f.get("message", "")] == [1, 2]
    assert len(asked) == 2
    assert [list(group) for group, _ in groups[1:]] == [["ticket"]] * 2


@pytest.mark.parametrize("kinds", ["embedding,encoder,head", "encoder,head"])
def test_small_dense_has_as_many_parameters_as_the_ticket_has_left_and_is_not_pruned(texts, groups, kinds):
    journal = conducted(small_spec(arms=["ticket", "small-dense"], **{"schedule.prunable": kinds}), texts)
    left = {f["round"]: f["nonzero"] for event, f in journal.told if event == "round_started"}
    told = {f["round"]: f for event, f in journal.told if event == "trained" and f["arm"] == "small-dense"}
    entries = masks.support(groups[0][0]["dense"].weights)
    for number, (group, _) in enumerate(groups[1:], start=1):
        start, ticket = group["small-dense"], group["ticket"]
        unpruned = (int(each.sum()) for name, each in entries.items() if name not in ticket.mask)
        assert left[number] == sum(int(kept.sum()) for kept in ticket.mask.values()) + sum(unpruned)
        parameters = sum(int(each.sum()) for each in masks.support(start.weights).values())
        assert told[number]["parameters"] == parameters
        assert 0.8 * left[number] < parameters <= left[number]  # a word vector's number more is 39 parameters more
        assert start.mask == {}
        assert all(weight.any() for name, weight in start.weights.items() if weight.dim() > 1)
    assert left[1] > left[2]


def test_small_dense_draws_by_seed_and_round_alone_and_is_trained(texts, groups):
    spec = small_spec(arms=["ticket", "small-dense"], seeds=2)

    def narrower(parameters: int):
        torch.manual_seed(len(groups))  # what the network is built with, or anything else draws, is all one
        return network.narrower(spec.model, WORDS, CLASSES, 150)

    numbers = conducted(spec, texts, narrower=narrower).numbers()
    again = conducted(spec, texts, narrower=narrower).numbers()
    assert numbers == again
    rounds = [(group, results) for group, results in groups[: len(groups) // 2] if "small-dense" in group]
    assert len(rounds) == 4, "two rounds of two seeds"
    heads = {tuple(group["small-dense"].weights["head.weight"].flatten().tolist()) for group, _ in rounds}
    assert len(heads) == 4
    for group, results in rounds:
        drawn, trained = group["small-dense"].weights, results["small-dense"].weights
        assert drawn.keys() == trained.keys()
        assert all(drawn[name].shape == trained[name].shape != () for name in drawn)
        assert not any(torch.equal(drawn[name], trained[name]) for name in drawn)
    for seed in (0, 1):
        for number in (1, 2):
            assert numbers[seed, number, "small-dense"][4:] != numbers[seed, 0, "dense"][4:]


@pytest.mark.parametrize("arm", ["reinit", "reinit-own"])
def test_fresh_weights_of_a_pretrained_transformer_are_new_but_for_its_embeddings(texts, groups, tmp_path, arm):
    model = compose("bert", "ag_news").model.model_copy(update={"checkpoint": str(small(tmp_path, WORDS))})
    spec = small_spec(arms=["ticket", arm], **{"schedule.rounds": 1, "schedule.prunable": "encoder"})
    conducted(spec.model_copy(update={"model": model}), texts)
    fresh, ticket = (groups[1][0][each].weights for each in (arm, "ticket"))
    pretrained = network.pretrained(network.build(model, WORDS, CLASSES))
    tables = [name for name in pretrained if "embeddings" in name]
    matrices = [
        name for name in pretrained if ".encoder." in name and name.endswith("weight") and fresh[name].dim() > 1
    ]
    assert len(tables) > 2
    assert len(matrices) == 2 * 6
    for name in (*tables, *matrices):
        assert torch.equal(ticket[name], pretrained[name]), name
        assert torch.equal(fresh[name], pretrained[name]) is (name in tables), name


@pytest.mark.parametrize("redrawn", [False, True])
def test_fresh_weights_keep_pretrained_word_vectors_unless_told_otherwise(texts, groups, tmp_path, redrawn):
    lines = [f"{word} " + " ".join(str(number + place / 8) for place in range(6)) for number, word in enumerate(WORDS)]
    (tmp_path / "made.6d.txt").write_text("\n".join(lines[2:12]) + "\n")
    vectors = {"model.vectors": str(tmp_path / "made.6d.txt"), "model.reinit_vectors": redrawn}
    conducted(small_spec(arms=["ticket", "reinit"], **{"schedule.rounds": 1}, **vectors), texts)
    fresh, ticket = (groups[1][0][arm].weights["embedding.weight"] for arm in ("reinit", "ticket"))
    assert ticket[2].tolist() == [2 + place / 8 for place in range(6)]
    assert torch.equal(fresh[2:12], ticket[2:12]) is not redrawn
    assert not any(torch.equal(fresh[row], ticket[row]) for row in range(12, VOCABULARY))


def test_factors_give_a_kind_and_a_layer_rates_of_their_own(texts, groups):
    conducted(small_spec(arms=["ticket"], **{"schedule.factors": "head:0.5,embedding.weight:2"}), texts)
    entries = masks.support(groups[0][0]["dense"].weights)
    alive = {name: int(entries[name].sum()) for name in groups[1][0]["ticket"].mask}
    for group, _ in groups[1:]:
        for name, kept in group["ticket"].mask.items():
            rate = {"head.weight": 0.15, "embedding.weight": 0.6}.get(name, 0.3)
            alive[name] -= round(rate * alive[name])
            assert int(kept.sum()) == alive[name], name


def test_an_arm_of_its_own_track_that_diverges_is_left_out_and_the_others_go_on(texts, monkeypatch):
    real = lottery.train

    def train(group, plan, module, texts_, on_epoch, on_trained, *rest):
        results = real(group, plan, module, texts_, on_epoch, lambda arm, trained: None, *rest)
        results |= {"finetune": Diverged(1, 0.1)} if "finetune" in results else {}
        for arm, trained in results.items():
            on_trained(arm, trained)
        return results

    monkeypatch.setattr(lottery, "train", train)
    told = conducted(small_spec(arms=["ticket", "finetune", "lr-rewind"]), texts).numbers()
    assert (0, 1, "finetune") in told
    assert (0, 2, "finetune") not in told
    assert {(0, 2, "ticket"), (0, 2, "lr-rewind")} <= told.keys()


@pytest.mark.parametrize("stop_after", [3, 9, 15, 20])
@pytest.mark.parametrize("rewind", ["init", "5it", "end"])
def test_going_on_gives_every_arm_what_an_uninterrupted_run_gives(texts, stop_after, rewind):
    spec = small_spec(arms=ALL, **{"schedule.rewind": rewind})
    whole = conducted(spec, texts).numbers()
    journal = Memory(stop_after=stop_after)
    with pytest.raises(Stopped):
        conducted(spec, texts, journal)
    journal.stop_after = None
    assert conducted(spec, texts, journal).numbers() == whole


def test_what_arms_draw_never_coincides():
    """Of the seeds' 63 bits; torch's CPU generator takes the lower 32 of them, so that in a run of n draws two are the
    same by chance with probability n^2 / 2^33."""
    seeds = [derive(s, purpose, number, arm) for s in range(20) for number in range(1, 30)
             for purpose in ("fresh", "mask") for arm in ALL]  # fmt: skip
    assert len(set(seeds)) == len(seeds)


def test_a_fresh_draw_is_the_same_for_the_same_seed_round_and_arm_alone(texts, groups):
    conducted(small_spec(arms=ALL), texts)
    template = network.build(small_spec().model, WORDS, CLASSES)
    expected = network.draw(template, derive(0, "fresh", 2, "reinit"), control=True)
    assert same(groups[2][0]["reinit"].weights, expected)
