"""The verdict's sentence: what it says of each outcome, word by word."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import sentence

LADDER = [0.2, 0.5, 0.8]


def compared(gap: float, reach: float = 0.005, p: float | None = None) -> dict:
    """A difference with its interval; it counts where the interval leaves 0 out, if p is not given."""
    return {"gap": gap, "ci95": [gap - reach, gap + reach], "p": p if p is not None else 0.01 if gap > reach else 0.5}


def verdict(**more) -> dict:
    found = {
        "winning_ticket": True,
        "matching_round": 3,
        "matching_sparsity": 0.866,
        "margin": 0.01,
        "seeds": 5,
        "region": [0.5, 0.95],
        "against": {"reinit": compared(0.011)},
        "rivals": {},
    }
    return found | more


def said(short: int = 0, **more) -> str:
    return sentence.of_verdict(verdict(**more), LADDER, short)


def test_a_winning_ticket():
    assert said() == (
        "A winning ticket: up to 86.6 % sparsity the ticket matches the dense network (margin 1 point), and between 50 "
        "and 95 % it beats random reinitialisation by 1.1 points, 95 % CI [0.6, 1.6], 5 seeds."
    )


def test_every_arm_is_named_in_plain_words_by_what_it_came_to():
    against = {
        "reinit": compared(0.011),
        "shuffle": compared(0.02),
        "random": compared(0.031),
        "same-sign": compared(0.001),
        "reinit-own": compared(-0.02),
        "small-dense": compared(0.003),
    }
    rivals = {"finetune": compared(-0.012, p=0.01), "lr-rewind": compared(0.001)}
    assert said(against=against, rivals=rivals).partition("5 seeds")[2] == (
        "; it also beats the shuffled mask by 2.0 points and a random mask by 3.1; pruning with fresh weights every "
        "round beats it; its lead over fresh weights of the same signs or a dense network of its size may be chance; "
        "it differs from fine-tuning by -1.2 points; no difference from learning-rate rewinding is shown."
    )
    assert sentence.ARMS.keys() == against.keys() | rivals.keys()


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (compared(-0.011), "random reinitialisation beats it by 1.1 points, 95 % CI [0.6, 1.6], 5 seeds"),
        (
            compared(0.001),
            "its lead over random reinitialisation, +0.1 points, 95 % CI [-0.4, 0.6], 5 seeds, may be ch",
        ),
    ],
)
def test_a_ticket_that_does_not_beat_reinit(one, words):
    text = said(winning_ticket=None, against={"reinit": one, "shuffle": compared(0.02)})
    assert text.startswith("Undecided: up to 86.6 %")
    assert f"and between 50 and 95 % {words}" in text
    assert text.endswith("; it beats the shuffled mask by 2.0 points.")


def test_where_matching_ends_is_said():
    none = {"winning_ticket": False, "matching_round": None, "matching_sparsity": None}
    already = (
        "No winning ticket: the ticket falls short of the dense network already at 20.0 % sparsity (margin 1 point), "
    )
    assert said(1, **none).startswith(already)
    is_open = (
        "No winning ticket: whether the ticket matches the dense network is open at 20.0 % sparsity (margin 1 point), "
    )
    assert said(2, **none).startswith(is_open + "but it falls short of it at 50.0 %, and between")
    later = said(2, winning_ticket=False, matching_round=1, matching_sparsity=0.2, margin=0.02)
    start = "No winning ticket: up to 20.0 % sparsity the ticket matches the dense network (margin 2 points) "
    assert later.startswith(start + "but falls short of it at 50.0 %, and between")


def test_the_region_is_the_one_that_was_compared():
    assert "and between 10 and 36.5 % it beats" in said(region=[0.1, 0.365])
    assert "and at 36 % it beats" in said(region=[0.36, 0.36])


def test_without_reinit_the_seeds_are_still_said():
    text = said(winning_ticket=None, against={"shuffle": compared(0.02)})
    assert text.endswith("(margin 1 point), 5 seeds; it beats the shuffled mask by 2.0 points.")


numbers = st.floats(-1, 1)
arms = st.dictionaries(
    st.sampled_from([*sentence.ARMS, "new"]),
    st.builds(compared, numbers, st.floats(0, 1)),
)


@given(arms, arms, st.sampled_from([True, False, None]), st.integers(0, 3), st.sampled_from([None, 1, 3]))
def test_it_is_always_one_sentence_that_names_every_arm_once(against, rivals, won, short, reached):
    rivals = {name: one for name, one in rivals.items() if name in ("finetune", "lr-rewind")}
    against = {name: one for name, one in against.items() if name not in ("finetune", "lr-rewind")}
    reach = {"matching_round": reached, "matching_sparsity": reached and LADDER[reached - 1]}
    text = said(short, winning_ticket=won, against=against, rivals=rivals, **reach)
    assert text.endswith(".")
    assert ". " not in text
    assert "-0.0" not in text
    for name in {**against, **rivals}:
        words = sentence.ARMS.get(name, name)
        assert text.count(words) == 1
