"""Moving a ticket: on its own data it is itself; elsewhere it starts where it should, beside that data's own dense."""

import numpy as np
import pytest
import torch

from engine import lottery, transfer
from engine import spec as specs
from engine.data.alignment import align
from engine.data.batches import part
from engine.errors import BadInput, Stopped
from engine.lottery import Laboratory
from engine.models import network
from engine.pruning import mask as masks
from engine.training import Texts
from engine.transfer import Moving
from tests.science.conftest import CLASSES, WORDS, Memory, conducted, encoded, laboratory, small_spec

NAMES = ["one", "two", "three"]
# Elsewhere 30 of the words are known, in another order, and there are other classes.
OTHER_WORDS = [*WORDS[:2], *reversed(WORDS[5:35]), *(f"new{n}" for n in range(8))]
ARMS = ["ticket", "reinit", "shuffle", "same-sign"]


def asked(spec, **parts):
    schedule = spec.schedule.model_dump() | {"rounds": 1, "rewind": "init"}
    origin = {"question": "transfer", "run": "source", "round": 2, "rewind": spec.schedule.rewind}
    return specs.changed(spec, schedule=schedule, origin=origin, **parts)


@pytest.fixture(params=["init", "5it", "end"])
def source(request, texts):
    spec = small_spec(seeds=2, arms=["ticket"], **{"schedule.rewind": request.param})
    return spec, conducted(spec, texts)


def moving(before: Memory, found, number=2) -> Moving:
    return Moving(lambda seed: (before.rewinds[seed], before.rounds[seed, number].mask), found)


def home(source, texts, journal=None):
    """The ticket moved to its own data."""
    journal = journal or Memory()
    found = align(WORDS, WORDS, NAMES, NAMES)
    transfer.experiment(laboratory(asked(source[0]), texts), journal, moving(source[1], found))
    return journal


@pytest.fixture
def elsewhere() -> Laboratory:
    spec = asked(small_spec(seeds=2), arms=ARMS)
    built = [network.build(spec.model, OTHER_WORDS, 2) for _ in range(2)]
    train = part(_two_classes(150, 5))
    texts = Texts(train.take(np.arange(120)), train.take(np.arange(120, 150)), part(_two_classes(60, 6)))
    torch.set_num_threads(1)
    return Laboratory(spec, *built, lambda seed: texts)


def _two_classes(count, seed):
    made = encoded(count, seed)
    return type(made)(made.tokens, made.offsets, made.labels % 2)


FOUND = align(WORDS, OTHER_WORDS, NAMES, ["yes", "no"])


@pytest.fixture
def groups(monkeypatch) -> list:
    seen = []
    real = lottery.train

    def train(group, *rest):
        seen.append(dict(group))
        return real(group, *rest)

    monkeypatch.setattr(lottery, "train", train)
    return seen


@pytest.mark.parametrize("source", ["init"], indirect=True)
def test_moved_to_its_own_data_a_ticket_rewound_to_init_repeats_its_own_round(source, texts):
    told, before = home(source, texts).numbers(), source[1].numbers()
    for seed in (0, 1):
        assert told[seed, 0, "dense"] == before[seed, 0, "dense"]
        assert told[seed, 1, "ticket"][3:] == before[seed, 2, "ticket"][3:]


def test_a_moved_ticket_starts_from_the_rewound_weights_under_its_mask_and_trains_the_whole_way(source, texts, groups):
    home(source, texts)
    for seed, group in zip((0, 1), groups[1::2], strict=True):
        rewound, mask = source[1].rewinds[seed], source[1].rounds[seed, 2].mask
        assert group["ticket"].begin == 0
        assert all(torch.equal(group["ticket"].weights[name], rewound[name]) for name in rewound)
        assert all(torch.equal(group["ticket"].mask[name], mask[name]) for name in mask)


def test_elsewhere_the_dense_network_is_that_of_any_run_there(elsewhere, source):
    journal, plain = Memory(), Memory()
    transfer.experiment(elsewhere, journal, moving(source[1], FOUND))
    spec = specs.changed(elsewhere.spec, origin=None)
    lottery.experiment(Laboratory(spec, elsewhere.module, elsewhere.template, elsewhere.texts), plain)
    for seed in (0, 1):
        assert journal.numbers()[seed, 0, "dense"] == plain.numbers()[seed, 0, "dense"]


def test_elsewhere_all_arms_have_the_carried_mask_and_its_densities(elsewhere, source, groups):
    journal = Memory()
    transfer.experiment(elsewhere, journal, moving(source[1], FOUND))
    for seed, group in zip((0, 1), groups[1::2], strict=True):
        assert list(group) == ARMS
        ticket, entries = group["ticket"], masks.support(group["ticket"].weights)
        assert all(torch.equal(journal.rewinds[seed][name], ticket.weights[name]) for name in ticket.weights)
        for arm in ("reinit", "same-sign"):
            assert all(torch.equal(group[arm].mask[name], ticket.mask[name]) for name in ticket.mask)
        assert masks.densities(group["shuffle"].mask, entries) == masks.densities(ticket.mask, entries)
        assert all(start.begin == 0 for start in group.values())
        before = source[1].rounds[seed, 2].mask
        for name in before:
            if name not in ("embedding.weight", "head.weight"):
                assert torch.equal(ticket.mask[name], before[name]), name
        assert ticket.mask["head.weight"].all()
        for row, word in enumerate(OTHER_WORDS):
            if word in WORDS:
                old = WORDS.index(word)
                assert torch.equal(ticket.mask["embedding.weight"][row], before["embedding.weight"][old])
                rewound = source[1].rewinds[seed]["embedding.weight"][old]
                assert torch.equal(ticket.weights["embedding.weight"][row], rewound)


def test_what_is_new_differs_from_seed_to_seed(elsewhere, source, groups):
    transfer.experiment(elsewhere, Memory(), moving(source[1], FOUND))
    one, other = (group["ticket"] for group in groups[1::2])
    assert not torch.equal(one.weights["head.weight"], other.weights["head.weight"])
    new = slice(32, None)
    assert not torch.equal(one.weights["embedding.weight"][new], other.weights["embedding.weight"][new])
    fresh = network.draw(elsewhere.template, 0)
    one_ticket = Moving(lambda _: moving(source[1], FOUND).ticket(0), FOUND)
    drawn = [transfer.carried(elsewhere, seed, one_ticket, fresh, masks.support(fresh))[1] for seed in (0, 1, 0)]
    one, other, again = (mask["embedding.weight"][new] for mask in drawn)
    assert torch.equal(one, again)
    assert not torch.equal(one, other)


@pytest.mark.parametrize("stop_after", [1, 3, 7, 11, 15])
def test_going_on_gives_what_an_uninterrupted_run_gives(elsewhere, texts, stop_after):
    spec = small_spec(seeds=2, arms=["ticket"])
    before = moving(conducted(spec, texts), FOUND)
    whole, journal = Memory(), Memory(stop_after=stop_after)
    transfer.experiment(elsewhere, whole, before)
    with pytest.raises(Stopped):
        transfer.experiment(elsewhere, journal, before)
    journal.stop_after = None
    transfer.experiment(elsewhere, journal, before)
    assert journal.numbers() == whole.numbers()
    assert len(whole.numbers()) == elsewhere.spec.trainings


def test_a_ticket_of_another_shape_is_refused_in_a_sentence(elsewhere, source):
    small = network.build(small_spec(**{"model.filters": 4}).model, WORDS, CLASSES)
    weights = network.draw(small, 0)
    whole = masks.support(weights)
    with pytest.raises(BadInput, match=r"does not fit.*convolutions.*same model"):
        transfer.experiment(elsewhere, Memory(), Moving(lambda seed: (weights, whole), FOUND))
