"""The experiment: what each arm starts from, what is shared, and that going on equals never having stopped."""

import pytest
import torch

from engine import lottery
from engine.errors import Stopped
from engine.pruning import mask as masks
from engine.randomness import derive
from tests.science.conftest import Memory, by_magnitude, conducted, laboratory, small_spec


@pytest.fixture
def starts(monkeypatch) -> list:
    """Every group that is trained, as (round, arm, start), while an experiment runs."""
    seen = []
    real = lottery.train

    def train(group, *rest):
        seen.append(dict(group))
        return real(group, *rest)

    monkeypatch.setattr(lottery, "train", train)
    return seen


def test_rounds_of_a_seed_in_order_and_arms_as_one_group(texts, starts):
    conducted(small_spec(seeds=2), texts)
    assert [list(group) for group in starts] == [["dense"], *[["ticket", "reinit", "shuffle"]] * 2] * 2


def test_every_ticket_is_rewound_to_the_initial_weights(texts, starts):
    journal = conducted(small_spec(), texts)
    dense = starts[0]["dense"].weights
    for group in starts[1:]:
        for arm in ("ticket", "shuffle"):
            assert all(torch.equal(group[arm].weights[name], dense[name]) for name in dense)
    assert all(torch.equal(journal.rewinds[0][name], dense[name]) for name in dense)


def test_reinit_keeps_the_tickets_mask_and_draws_afresh_each_round(texts, starts):
    conducted(small_spec(), texts)
    for group in starts[1:]:
        assert all(torch.equal(group["reinit"].mask[n], group["ticket"].mask[n]) for n in group["ticket"].mask)
        assert not torch.equal(group["reinit"].weights["head.weight"], group["ticket"].weights["head.weight"])
    first, second = starts[1]["reinit"].weights, starts[2]["reinit"].weights
    assert not torch.equal(first["head.weight"], second["head.weight"])


def test_shuffle_keeps_the_densities_and_really_differs(texts, starts):
    conducted(small_spec(), texts)
    for group in starts[1:]:
        entries = masks.support(group["ticket"].weights)
        assert masks.densities(group["shuffle"].mask, entries) == masks.densities(group["ticket"].mask, entries)
        assert any((group["shuffle"].mask[n] != group["ticket"].mask[n]).any() for n in group["ticket"].mask)


def test_each_round_prunes_what_the_ticket_trained_in_the_round_before(texts, starts):
    journal = conducted(small_spec(), texts)
    for number in (1, 2):
        before, now = journal.rounds[0, number - 1], journal.rounds[0, number]
        expected = masks.prune(by_magnitude(before.trained, before.mask), before.mask, 0.3, "layerwise")
        assert all(torch.equal(expected[name], now.mask[name]) for name in expected)
        assert all(torch.equal(starts[number]["ticket"].mask[name], now.mask[name]) for name in expected)


def test_arms_do_not_change_each_others_numbers(texts):
    whole = conducted(small_spec(), texts).numbers()
    alone = conducted(small_spec(arms=["ticket"]), texts).numbers()
    turned = conducted(small_spec(arms=["shuffle", "ticket", "reinit"]), texts).numbers()
    assert all(whole[key] == numbers for key, numbers in alone.items())
    assert whole == turned


def test_seeds_are_independent_of_each_other(texts):
    both = conducted(small_spec(seeds=[3, 8]), texts).numbers()
    alone = conducted(small_spec(seeds=[8]), texts).numbers()
    assert {key: numbers for key, numbers in both.items() if key[0] == 8} == alone
    assert both[3, 0, "dense"][4:] != both[8, 0, "dense"][4:]


@pytest.mark.parametrize("stop_after", [1, 3, 5, 8, 11])
def test_going_on_gives_what_an_uninterrupted_run_gives(texts, stop_after):
    spec = small_spec(seeds=2)
    whole = conducted(spec, texts)
    journal = Memory(stop_after=stop_after)
    with pytest.raises(Stopped):
        conducted(spec, texts, journal)
    journal.stop_after = None
    conducted(spec, texts, journal)
    assert journal.numbers() == whole.numbers()
    for key, standing in whole.rounds.items():
        assert all(torch.equal(standing.mask[n], journal.rounds[key].mask[n]) for n in standing.mask)
        assert all(torch.equal(standing.trained[n], journal.rounds[key].trained[n]) for n in standing.trained)


def test_what_is_done_is_not_done_again(texts, starts):
    journal = conducted(small_spec(), texts)
    starts.clear()
    conducted(small_spec(), texts, journal)
    assert starts == []


def test_sparsity_counts_prunable_parameters_and_total_sparsity_all_of_them(texts):
    journal = conducted(small_spec(**{"schedule.prunable": "encoder,head"}), texts)
    told = [fields for event, fields in journal.told if event == "round_started"]
    for fields, standing in zip(told, journal.rounds.values(), strict=True):
        pruned = sum(int((~kept).sum()) for kept in standing.mask.values())
        prunable = sum(kept.numel() for kept in standing.mask.values())
        assert "embedding.weight" not in standing.mask
        assert fields["sparsity"] == pytest.approx(pruned / prunable)
        assert fields["total_sparsity"] == pytest.approx(pruned / fields["parameters"])
        assert fields["parameters"] - fields["nonzero"] == pruned
        assert fields["layers"]["embedding.weight"] == 1.0
        assert fields["kinds"]["embedding"] == 0.0
    assert told[0]["parameters"] == 39 * 6 + 5 * 2 * 6 + 5 * 3 * 6 + 10 + 10 * 3 + 3  # without the padding row


def test_global_pruning_reaches_its_sparsity_with_layers_of_their_own(texts):
    journal = conducted(small_spec(schedule="imp-global", **{"schedule.rate": 0.5}), texts)
    told = [fields for event, fields in journal.told if event == "round_started"][-1]
    assert told["sparsity"] == pytest.approx(0.75, abs=0.002)
    assert len({round(d, 3) for name, d in told["layers"].items() if name.endswith("weight")}) > 1


def test_an_emptied_layer_warns(texts):
    journal = conducted(small_spec(**{"schedule.rate": 0.99, "schedule.prunable": "head"}), texts)
    assert any(event == "warning" and "head.weight" in f["message"] for event, f in journal.told)


def test_a_diverged_dense_network_ends_its_seed_and_the_next_one_begins(texts, monkeypatch):
    lab = laboratory(small_spec(seeds=2), texts)
    real = lottery.network.draw
    bad = derive(0, "init")

    def draw(module, seed, control=False):
        weights = real(module, seed, control)
        return {name: weight * (1e30 if seed == bad else 1) for name, weight in weights.items()}

    monkeypatch.setattr(lottery.network, "draw", draw)
    journal = Memory()
    lottery.experiment(lab, journal)
    trained = {(f["seed"], f["round"], f["arm"]): f for event, f in journal.told if event == "trained"}
    assert trained[0, 0, "dense"]["diverged"] is True
    assert not any(seed == 0 and number > 0 for seed, number, _ in trained)
    assert (1, 2, "ticket") in trained
    assert any(event == "warning" and "learning_rate" in f["message"] for event, f in journal.told)
    before = sum(event == "trained" for event, _ in journal.told)
    lottery.experiment(lab, journal)
    assert sum(event == "trained" for event, _ in journal.told) == before, "what diverged is not trained again"


def test_seeds_of_different_purposes_never_coincide():
    """All 63 bits of them; torch's CPU generator takes the lower 32 alone."""
    seeds = [derive(s, purpose, *parts) for s in range(20) for purpose in ("init", "order", "dropout", "split")
             for parts in ([()] + [(i,) for i in range(30)])]  # fmt: skip
    seeds += [derive(s, "fresh", r, arm) for s in range(20) for r in range(30) for arm in ("reinit", "shuffle")]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed < 2**63 for seed in seeds)
