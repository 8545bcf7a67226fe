"""The verdict: its rule, against examples worked out by hand and by scipy.stats."""

import json
from math import sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as known

from engine import stats
from tests.bench import verdict as simulated

MARGIN = 0.01


def rounds_of(dense, arms: dict, sparsity) -> list[dict]:
    """Rounds as `lth show --json` has them, from a list a seed for dense and one a round for each arm."""
    found = [{"round": 0, "sparsity": 0.0, "arms": {"dense": {"test_accuracy": list(dense)}}}]
    for index, level in enumerate(sparsity):
        accuracies = {name: {"test_accuracy": list(values[index])} for name, values in arms.items()}
        found.append({"round": index + 1, "sparsity": level, "arms": accuracies})
    return found


def verdict(dense, arms: dict, sparsity, margin: float = MARGIN) -> dict:
    return stats.verdict(list(range(len(dense))), rounds_of(dense, arms, sparsity), list(arms), margin)


DENSE = [0.900, 0.904, 0.896]
LADDER = [0.2, 0.5, 0.8]


def shifted(by: float, wobble: float = 0.001) -> list[float]:
    """Dense accuracies moved by the same, plus a little that differs from seed to seed."""
    return [accuracy + by + wobble * sign for accuracy, sign in zip(DENSE, (1, -1, 0), strict=True)]


def winner() -> dict:
    return {
        "ticket": [shifted(0.002), shifted(0.001), shifted(-0.001)],
        "reinit": [shifted(-0.004), shifted(-0.02), shifted(-0.05)],
        "shuffle": [shifted(-0.01), shifted(-0.03), shifted(-0.06)],
    }


# Matching


def test_the_sequence_stops_at_its_first_failure_whatever_comes_after():
    arms = winner()
    arms["ticket"] = [shifted(0.002), shifted(-0.05), shifted(0.03)]
    found = verdict(DENSE, arms, LADDER)
    assert (found["matching_round"], found["matching_sparsity"]) == (1, 0.2)
    arms["ticket"] = [shifted(-0.05), shifted(0.03), shifted(0.03)]
    found = verdict(DENSE, arms, LADDER)
    assert (found["matching_round"], found["matching_sparsity"]) == (None, None)


def test_the_sequence_goes_by_sparsity_not_by_the_order_of_the_list():
    arms = winner()
    straight = stats.verdict([0, 1, 2], rounds_of(DENSE, arms, LADDER), list(arms), MARGIN)
    assert straight["matching_sparsity"] == 0.8
    assert stats.verdict([0, 1, 2], rounds_of(DENSE, arms, LADDER)[::-1], list(arms), MARGIN) == straight


def test_a_wider_margin_matches_further():
    arms = winner() | {"ticket": [shifted(-0.005), shifted(-0.015), shifted(-0.025)]}
    reached = [verdict(DENSE, arms, LADDER, margin)["matching_round"] for margin in (0.001, 0.01, 0.02, 0.03)]
    assert reached == [None, 1, 2, 3]


# Against the controls


NAMES = ("ticket", "reinit", "shuffle", "random", "finetune", "lr-rewind")


def test_an_arm_is_compared_by_scipys_paired_t_over_the_means_of_the_region():
    draw = np.random.default_rng(5)
    sparsity = [0.2, 0.49, 0.5, 0.8, 0.95, 0.96]
    arms = {name: 0.8 + 0.02 * draw.standard_normal((6, 5)) for name in NAMES}
    found = verdict(0.8 + 0.01 * draw.standard_normal(5), arms, sparsity)
    assert list(found["against"]) == ["reinit", "shuffle", "random"]
    assert list(found["rivals"]) == ["finetune", "lr-rewind"]
    inside = slice(2, 5)  # 0.5, 0.8 and 0.95: both ends belong to it
    means = {name: values[inside].mean(axis=0) for name, values in arms.items()}
    raw = {}
    for name, shown in {**found["against"], **found["rivals"]}.items():
        side = "two-sided" if name in ("finetune", "lr-rewind") else "greater"
        raw[name] = known.ttest_rel(means["ticket"], means[name], alternative=side).pvalue
        both = known.ttest_rel(means["ticket"], means[name]).confidence_interval(0.95)
        assert shown["gap"] == pytest.approx((means["ticket"] - means[name]).mean())
        assert shown["ci95"] == pytest.approx([both.low, both.high])
    assert found["against"]["reinit"]["p"] == pytest.approx(raw["reinit"]), "the question itself is tested alone"
    for kind, family in (("against", ("shuffle", "random")), ("rivals", ("finetune", "lr-rewind"))):
        low, high = sorted(family, key=raw.get)
        assert found[kind][low]["p"] == pytest.approx(min(1, 2 * raw[low]))
        assert found[kind][high]["p"] == pytest.approx(max(min(1, 2 * raw[low]), raw[high]))


def test_asking_for_more_controls_takes_nothing_from_the_first_question():
    arms = winner() | {"reinit": [shifted(-0.02, 0.004)] * 3, "shuffle": [shifted(-0.02, 0.004)] * 3}
    few = verdict(DENSE, arms, LADDER)
    more = arms | dict.fromkeys(("random", "same-sign", "reinit-own", "small-dense"), arms["ticket"])
    many = verdict(DENSE, more, LADDER)
    assert many["winning_ticket"] is True
    assert many["against"]["reinit"] == few["against"]["reinit"]
    assert many["against"]["shuffle"]["p"] > few["against"]["shuffle"]["p"]


def test_without_a_round_in_the_region_all_pruned_rounds_are_compared():
    arms = winner()
    found = verdict(DENSE, arms, [0.1, 0.2, 0.3])
    gaps = np.array(arms["ticket"]) - np.array(arms["reinit"])
    assert found["against"]["reinit"]["gap"] == pytest.approx(gaps.mean())
    assert found["winning_ticket"] is None, "nothing here is sparse"
    assert "50 %" in found["sentence"]


# The verdict


def test_a_ticket_that_matches_when_sparse_and_beats_reinit_wins():
    found = verdict(DENSE, winner(), LADDER)
    assert found["winning_ticket"] is True
    assert (found["matching_round"], found["matching_sparsity"], found["seeds"]) == (3, 0.8, 3)
    assert found["against"]["reinit"]["p"] < 0.05
    assert found["against"]["reinit"]["gap"] == pytest.approx((0.021 + 0.049) / 2)
    assert (found["margin"], found["looks"], found["region"]) == (MARGIN, 1, [0.5, 0.95])
    assert found["sentence"] == (
        "A winning ticket: up to 80.0 % sparsity the ticket matches the dense network (margin 1 point), and between 50 "
        "and 95 % it beats random reinitialisation by 3.5 points, 95 % CI [3.5, 3.5], 3 seeds; it also beats the "
        "shuffled mask by 4.5 points."
    )


def test_matching_only_below_half_sparsity_does_not_win():
    found = verdict(DENSE, winner(), [0.2, 0.3, 0.499])
    assert found["matching_round"] == 3
    assert found["winning_ticket"] is None


def test_a_ticket_that_reinit_equals_does_not_win_though_it_matches():
    arms = winner()
    arms["reinit"] = [[b + 0.001 * sign for b, sign in zip(row, (2, -3, 1), strict=True)] for row in arms["ticket"]]
    found = verdict(DENSE, arms, LADDER)
    assert found["matching_sparsity"] == 0.8
    assert found["winning_ticket"] is None
    assert found["against"]["shuffle"]["p"] < 0.05, "beating another control does not help"
    assert found["sentence"].startswith("Undecided")


def test_a_ticket_that_reinit_beats_is_none():
    arms = winner()
    arms["reinit"], arms["ticket"] = [shifted(0.02), shifted(0.022), shifted(0.019)], [shifted(0.0, 0.002)] * 3
    found = verdict(DENSE, arms, LADDER)
    assert found["winning_ticket"] is False
    low, high = found["against"]["reinit"]["ci95"]
    assert high < 0
    words = f"random reinitialisation beats it by 2.1 points, 95 % CI [{-100 * high:.1f}, {-100 * low:.1f}], 3 seeds"
    assert words in found["sentence"]


def test_a_ticket_that_falls_short_before_half_sparsity_is_none():
    arms = winner() | {"ticket": [shifted(0.0), shifted(-0.08), shifted(-0.2)]}
    assert verdict(DENSE, arms, LADDER)["winning_ticket"] is False


def test_falling_short_only_where_it_is_very_sparse_does_not_lose():
    arms = winner() | {"ticket": [shifted(0.0), shifted(0.0), shifted(-0.02)]}
    found = verdict(DENSE, arms, LADDER)
    assert found["winning_ticket"] is True
    assert found["matching_sparsity"] == 0.5


@pytest.mark.parametrize("count", [1, 2])
def test_fewer_than_three_seeds_are_no_verdict(count):
    arms = {name: [row[:count] for row in rows] for name, rows in winner().items()}
    found = verdict(DENSE[:count], arms, LADDER)
    assert found["winning_ticket"] is None
    assert found["matching_round"] is None
    assert found["against"] == {}
    assert found["seeds"] == count
    assert "3 or more" in found["sentence"]


def test_a_seed_with_a_missing_or_diverged_training_is_left_out_and_named():
    arms = {name: [[*row, 0.1, 0.2] for row in rows] for name, rows in winner().items()}
    arms["ticket"][2][3] = None
    arms["reinit"][0][4] = None
    found = stats.verdict([10, 11, 12, 13, 14], rounds_of([*DENSE, 0.9, 0.9], arms, LADDER), list(arms), MARGIN)
    whole = stats.verdict([10, 11, 12], rounds_of(DENSE, winner(), LADDER), list(arms), MARGIN)
    assert found["seeds"] == 3
    assert "seed 13, 14" in found["sentence"]
    for key in ("winning_ticket", "matching_round"):
        assert found[key] == whole[key]
    assert found["against"]["reinit"] == whole["against"]["reinit"]


def test_a_further_arm_that_is_missing_somewhere_takes_nothing_from_the_others():
    arms = winner() | {name: [shifted(-0.01), shifted(-0.02), shifted(-0.03)] for name in ("small-dense", "finetune")}
    whole = verdict(DENSE, arms, LADDER)
    assert whole["partial"] == {}
    arms["small-dense"][2] = [None] * 3  # it cannot be made so small
    arms["finetune"][1][0] = arms["finetune"][2][0] = None  # seed 0 diverged
    found = verdict(DENSE, arms, LADDER)
    assert (found["winning_ticket"], found["seeds"]) == (True, 3)
    for key in ("matching_round", "matching_sparsity"):
        assert found[key] == whole[key]
    for name in ("reinit", "shuffle"):
        assert found["against"][name]["gap"] == whole["against"][name]["gap"]
    gap = np.mean(np.array(arms["ticket"][1]) - np.array(arms["small-dense"][1]))  # of the region's two rounds one
    assert found["against"]["small-dense"]["gap"] == pytest.approx(gap)
    assert found["partial"] == {
        "small-dense": {"seeds": 3, "rounds": 1, "of_seeds": 3, "of_rounds": 2},
        "finetune": {"seeds": 2, "rounds": 2, "of_seeds": 3, "of_rounds": 2},
    }
    assert "a dense network of its size (3 of 3 seeds, 1 of 2 rounds)" in found["sentence"]


def test_an_arm_that_hardly_was_trained_is_not_compared_and_named():
    arms = winner() | {"random": [[0.8, None, None], [0.7, None, None], [None] * 3]}
    found = verdict(DENSE, arms, LADDER)
    assert "random" not in found["against"]
    assert "Not compared, trained for fewer than two seeds: a random mask." in found["sentence"]


def test_with_too_few_whole_seeds_left_there_is_no_verdict_and_the_reason_is_said():
    arms = winner()
    arms["reinit"][1][0] = None
    found = verdict(DENSE, arms, LADDER)
    assert found["winning_ticket"] is None
    assert found["seeds"] == 2
    assert "seed 0" in found["sentence"]


def test_an_arm_that_a_round_lacks_is_missing_not_zero():
    rounds = rounds_of(DENSE, winner(), LADDER)
    del rounds[3]["arms"]["reinit"]
    found = stats.verdict([0, 1, 2], rounds, ["ticket", "reinit", "shuffle"], MARGIN)
    assert found["winning_ticket"] is None
    assert found["seeds"] == 0


def test_without_the_reinit_arm_nobody_can_say():
    arms = {name: rows for name, rows in winner().items() if name != "reinit"}
    found = verdict(DENSE, arms, LADDER)
    assert found["winning_ticket"] is None
    assert set(found["against"]) == {"shuffle"}
    assert "reinit" in found["sentence"]
    alone = verdict(DENSE, {"ticket": arms["ticket"]}, LADDER)
    assert alone["against"] == {}
    assert alone["winning_ticket"] is None


@pytest.mark.parametrize(("gap", "wins"), [(0.02, True), (0.0, None), (-0.02, False)])
def test_seeds_that_agree_exactly_are_no_division_by_zero(gap, wins):
    arms = {"ticket": [[0.9] * 3] * 3, "reinit": [[0.9 - gap] * 3] * 3}
    found = verdict([0.9] * 3, arms, LADDER)
    assert found["winning_ticket"] is wins
    assert found["against"]["reinit"]["p"] == pytest.approx({0.02: 0.0, 0.0: 0.5, -0.02: 1.0}[gap])
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def plain(value) -> bool:
    if isinstance(value, dict):
        return all(type(key) is str and plain(one) for key, one in value.items())
    if isinstance(value, list):
        return all(map(plain, value))
    return value is None or type(value) in (str, int, float, bool)


accuracy = st.one_of(st.none(), st.floats(0, 1), st.sampled_from([0.0, 0.25, 1.0]))


@st.composite
def histories(draw):
    """Rounds with anything in them that a run can leave: gaps, equal values, few rounds, arms that are not there."""
    seeds, count = draw(st.integers(0, 5)), draw(st.integers(0, 4))
    arms = ["ticket", *draw(st.lists(st.sampled_from(["reinit", "shuffle", "random"]), unique=True))]
    row = st.lists(accuracy, min_size=seeds, max_size=seeds)
    sparsity = sorted(draw(st.lists(st.floats(0, 1), min_size=count, max_size=count)))
    found = rounds_of(draw(row), {arm: [draw(row) for _ in range(count)] for arm in arms}, sparsity)
    for entry in found[1:]:
        if draw(st.booleans()) and draw(st.booleans()):
            entry["arms"].pop(draw(st.sampled_from(arms)))
    return list(range(seeds)), found, arms


@given(histories(), st.sampled_from([0.001, 0.01, 0.5]))
@settings(max_examples=150, deadline=None)
def test_whatever_a_run_found_the_verdict_is_plain_json_with_a_sentence(history, margin):
    seeds, rounds, arms = history
    found = stats.verdict(seeds, rounds, arms, margin)
    assert plain(found)
    json.dumps(found, allow_nan=False)
    assert found["sentence"].rstrip().endswith(".")
    assert "nan" not in found["sentence"]
    assert found["winning_ticket"] in (True, False, None)
    if found["winning_ticket"]:
        assert found["seeds"] >= 3
        assert found["matching_sparsity"] >= 0.5 - 1e-9
        assert found["against"]["reinit"]["p"] < 0.05
    for comparison in found["against"].values():
        assert comparison["ci95"][0] <= comparison["gap"] + 1e-12
        assert comparison["gap"] <= comparison["ci95"][1] + 1e-12
        assert 0 <= comparison["p"] <= 1
    json.dumps(stats.best(rounds, margin), allow_nan=False)


# How many seeds would decide


def open_question(gap: float, spread: float = 0.012, seeds: int = 3) -> stats.Results:
    """A ticket that matches, and leads reinit by `gap` with so much spread between seeds."""
    signs = np.array([-1.0, 0.3, 0.7, 0.1, -0.1][:seeds])
    signs = (signs - signs.mean()) / signs.std(ddof=1)
    dense = np.full(seeds, 0.9)
    ticket = np.tile(dense, (3, 1)) + 1e-4 * signs
    reinit = ticket - gap + spread * signs
    return stats.Results(np.array(LADDER), dense, {"ticket": ticket, "reinit": reinit})


def test_the_number_of_seeds_that_would_decide_is_the_t_tests_own():
    gap, spread = 0.012, 0.012
    results = open_question(gap, spread)
    assert stats.decide(results, MARGIN)[0] is None
    wanted = next(n for n in range(4, 101) if known.t.sf(gap / (spread / sqrt(n)), n - 1) < 0.05)
    assert stats.seeds_to_decide(results, MARGIN) == wanted


def test_a_smaller_lead_needs_more_seeds_and_none_at_all_more_than_there_are():
    needed = [stats.seeds_to_decide(open_question(gap), MARGIN) for gap in (0.012, 0.008, 0.005, 0.003)]
    assert None not in needed
    assert needed == sorted(needed)
    assert needed[0] < needed[-1]
    assert min(needed) > 3
    assert stats.seeds_to_decide(open_question(0.0), MARGIN) is None


def test_the_sentence_of_an_open_question_says_how_many_seeds():
    results = open_question(0.012)
    found = verdict(results.dense, results.arms, LADDER)
    assert found["winning_ticket"] is None
    needed = stats.seeds_to_decide(results, MARGIN, looks=2)  # who adds seeds looks again
    assert needed > stats.seeds_to_decide(results, MARGIN)
    assert f"About {needed} seeds would decide" in found["sentence"]
    results = open_question(0.0)
    assert "More seeds than 100" in verdict(results.dense, results.arms, LADDER)["sentence"]


# For lists


def test_the_best_is_the_sparsest_ticket_within_the_margin_of_dense():
    rounds = rounds_of([0.9, 0.9], {"ticket": [[0.91, 0.91], [0.893, 0.893], [0.85, 0.85]]}, LADDER)
    assert stats.best(rounds, MARGIN) == {"dense": 0.9, "ticket": 0.893, "sparsity": 0.5}
    worse = rounds_of([0.9], {"ticket": [[0.85], [0.8], [0.7]]}, LADDER)
    assert stats.best(worse, MARGIN) == {"dense": 0.9, "ticket": 0.85, "sparsity": 0.2}
    assert stats.best(rounds[:1], MARGIN) == {"dense": 0.9}
    assert stats.best([], MARGIN) == {}


def test_a_round_whose_sparsity_is_not_known_is_passed_over():
    rounds = rounds_of(DENSE, winner(), LADDER)
    rounds[2]["sparsity"] = None
    assert stats.best(rounds, MARGIN)["dense"] == pytest.approx(0.9)
    assert stats.verdict([0, 1, 2], rounds, ["ticket", "reinit", "shuffle"], MARGIN)["seeds"] == 3


# Looking again


def test_a_further_look_is_held_to_a_stricter_level():
    arms = winner() | {"reinit": [shifted(-0.02, 0.012)] * 3, "shuffle": [shifted(-0.02, 0.004)] * 3}
    args = list(range(3)), rounds_of(DENSE, arms, LADDER), list(arms), MARGIN
    once, twice = stats.verdict(*args), stats.verdict(*args, looks=2)
    assert (once["looks"], twice["looks"]) == (1, 2)
    assert (once["winning_ticket"], twice["winning_ticket"]) == (True, None)
    for name in ("reinit", "shuffle"):
        assert twice["against"][name]["p"] == pytest.approx(4 * once["against"][name]["p"])
        assert twice["against"][name]["gap"] == once["against"][name]["gap"]
    gaps = np.mean(np.array(arms["ticket"])[1:] - np.array(arms["reinit"])[1:], axis=0)
    interval = known.ttest_1samp(gaps, 0).confidence_interval(1 - 0.05 / 4)
    assert twice["against"]["reinit"]["ci95"] == pytest.approx([interval.low, interval.high])
    assert "looks" not in once["sentence"]
    assert "2 looks at the data: tests and intervals are held to 1.25 % instead of 5 %" in twice["sentence"]


# Each round


def test_each_rounds_differences_are_scipys_paired_intervals_unadjusted():
    draw = np.random.default_rng(3)
    dense = (0.8 + 0.01 * draw.standard_normal(5)).tolist()
    arms = {name: (0.8 + 0.02 * draw.standard_normal((3, 5))).tolist() for name in NAMES}
    arms["reinit"][1][2] = None
    args = list(range(5)), rounds_of(dense, arms, LADDER), list(arms), MARGIN
    found = stats.verdict(*args)["rounds"]
    assert [(one["round"], one["sparsity"]) for one in found] == [(1, 0.2), (2, 0.5), (3, 0.8)]
    assert stats.verdict(*args, looks=3)["rounds"] == found
    for index, one in enumerate(found):
        assert one["adjusted"] is False
        assert list(one["differences"]) == ["dense", *NAMES[1:]]
        for name, shown in one["differences"].items():
            other = dense if name == "dense" else arms[name][index]
            pairs = [(t, o) for t, o in zip(arms["ticket"][index], other, strict=True) if o is not None]
            test = known.ttest_rel(*zip(*pairs, strict=True)).confidence_interval(0.95)
            assert shown["gap"] == pytest.approx(np.mean([t - o for t, o in pairs]))
            assert shown["ci95"] == pytest.approx([test.low, test.high])


def test_one_seed_has_differences_without_intervals_and_none_has_no_difference():
    arms = {name: [row[:1] for row in rows] for name, rows in winner().items()}
    arms["shuffle"][0] = [None]
    found = verdict(DENSE[:1], arms, LADDER)["rounds"]
    assert found[0]["differences"].keys() == {"dense", "reinit"}
    assert found[0]["differences"]["reinit"] == {"gap": pytest.approx(0.006), "ci95": None}


# By simulation: the short form of `make bench-verdict`


@pytest.mark.parametrize("noise", ["independent", "shared"])
@pytest.mark.parametrize("seeds", [3, 5])
@pytest.mark.parametrize(
    ("effect", "lead", "judge"),
    [(0.0, 0.0, simulated.equal), (-1.0, 5.0, simulated.short), (-1.0, 0.0, simulated.corner)],
)
def test_at_the_borders_of_the_hypothesis_hardly_anything_is_claimed(effect, lead, judge, seeds, noise):
    made = simulated.simulate(np.random.default_rng(20261123), 300, seeds, 12, noise, effect, lead)
    assert max(simulated.claims(made, judge)) <= 9  # in %; 5 expected, and 3 more by chance


def test_matching_is_hardly_claimed_beyond_where_it_ends():
    effect = np.where(simulated.ladder(12) < 0.6, 0.0, -1.0)
    made = simulated.simulate(np.random.default_rng(20261123), 300, 3, 12, "shared", effect, 5.0)
    assert simulated.claims(made, simulated.fades) <= 9


def test_looking_again_while_undecided_hardly_claims_more():
    made = simulated.simulate(np.random.default_rng(20261123), 400, 10, 12)
    won, *_ = simulated.claims(made, lambda results: simulated.looks(results, (3, 5, 10), stricter=True))
    made = simulated.simulate(np.random.default_rng(20261123), 400, 10, 12)
    naive, *_ = simulated.claims(made, lambda results: simulated.looks(results, (3, 5, 10), stricter=False))
    assert won <= 9
    assert naive > won + 2


def test_where_there_is_a_ticket_it_is_mostly_found():
    for seeds, least in ((3, 70), (5, 95)):
        made = simulated.simulate(np.random.default_rng(20261123), 300, seeds, 12, lead=0.5)
        assert 100 * np.mean([stats.decide(results, 1.0)[0] is True for results in made]) >= least


def test_a_run_of_the_dense_network_alone_has_no_verdict_and_says_why():
    dense = {"round": 0, "sparsity": 0.0, "arms": {"dense": {"test_accuracy": [0.9, 0.91, 0.89]}}}
    found = stats.verdict([0, 1, 2], [dense], ["ticket"], 0.01)
    assert found["winning_ticket"] is None
    assert found["sentence"] == "No verdict: only the dense network was trained."
