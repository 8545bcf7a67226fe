"""The verdict: its rule, against examples worked out by hand and by scipy.stats."""

import json
from math import sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as known

from engine import stats

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


def test_a_round_matches_by_a_one_sided_95_percent_bound_of_scipys_t():
    difference = np.array([[0.001, -0.004, 0.002, -0.003]])
    found = stats.matching(difference, MARGIN)
    interval = known.ttest_1samp(difference[0], 0.0).confidence_interval(0.90)
    assert found.lower[0] == pytest.approx(interval.low)
    assert found.upper[0] == pytest.approx(interval.high)
    p = known.ttest_1samp(difference[0], -MARGIN, alternative="greater").pvalue
    assert (found.rounds == 1) == (p < 0.05)


def test_the_variance_is_raised_to_the_mean_over_rounds_and_never_lowered():
    difference = np.array([[0.0, 0.001, -0.001], [0.0, 0.004, -0.004], [0.0, 0.010, -0.010]])
    found = stats.matching(difference, MARGIN)
    variances = np.array([1e-6, 16e-6, 100e-6])  # by hand: (a² + a²) / 2
    raised = np.maximum(variances, 39e-6)
    freedom = 2 * (1 + 2 / 5)
    reach = known.t.ppf(0.95, freedom) * np.sqrt(raised / 3)
    np.testing.assert_allclose(found.lower, -reach)
    np.testing.assert_allclose(found.upper, reach)


@pytest.mark.parametrize(("seeds", "rounds", "freedom"), [(3, 1, 2), (3, 6, 4), (5, 11, 12), (3, 12, 6.4)])
def test_pooling_earns_a_fifth_of_the_further_rounds_freedom(seeds, rounds, freedom):
    row = np.linspace(-0.002, 0.002, seeds)
    found = stats.matching(np.tile(row, (rounds, 1)), MARGIN)
    error = sqrt(row.var(ddof=1) / seeds)
    assert -found.lower[0] / error == pytest.approx(known.t.ppf(0.95, freedom))


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


def test_a_control_is_compared_by_scipys_paired_t_over_the_means_of_the_region():
    draw = np.random.default_rng(5)
    sparsity = [0.2, 0.49, 0.5, 0.8, 0.95, 0.96]
    arms = {name: 0.8 + 0.02 * draw.standard_normal((6, 5)) for name in ("ticket", "reinit", "shuffle")}
    found = verdict(0.8 + 0.01 * draw.standard_normal(5), arms, sparsity)
    inside = slice(2, 5)  # 0.5, 0.8 and 0.95: both ends belong to it
    means = {name: values[inside].mean(axis=0) for name, values in arms.items()}
    raw = {}
    for name in ("reinit", "shuffle"):
        test = known.ttest_rel(means["ticket"], means[name], alternative="greater")
        both = known.ttest_rel(means["ticket"], means[name]).confidence_interval(0.95)
        raw[name] = test.pvalue
        assert found["against"][name]["gap"] == pytest.approx((means["ticket"] - means[name]).mean())
        assert found["against"][name]["ci95"] == pytest.approx([both.low, both.high])
    low, high = sorted(raw, key=raw.get)
    assert found["against"][low]["p"] == pytest.approx(min(1, 2 * raw[low]))
    assert found["against"][high]["p"] == pytest.approx(max(min(1, 2 * raw[low]), raw[high]))


def test_holm_by_hand():
    """Raw p of 0.01, 0.02, 0.04 become 0.03, 0.04, 0.04; the last is not below the one before it."""
    gap = {}
    for name, p in (("a", 0.01), ("b", 0.02), ("c", 0.04)):
        unit = np.array([-1.0, 0.0, 1.0, 0.5, -0.5])
        error = unit.std(ddof=1) / sqrt(5)
        gap[name] = unit + known.t.isf(p, 4) * error
    ticket = np.zeros((1, 5))
    found = stats.against(ticket, {name: (-difference)[None] for name, difference in gap.items()})
    assert [found[name].p for name in "abc"] == pytest.approx([0.03, 0.04, 0.04])


@given(st.integers(0, 2**32 - 1), st.integers(1, 6))
@settings(max_examples=30)
def test_holm_never_lowers_a_p_keeps_their_order_and_stays_below_1(seed, count):
    draw = np.random.default_rng(seed)
    ticket = draw.standard_normal((2, 4))
    controls = {str(i): draw.standard_normal((2, 4)) for i in range(count)}
    adjusted = stats.against(ticket, controls)
    raw = {
        name: known.ttest_rel(ticket.mean(axis=0), one.mean(axis=0), alternative="greater").pvalue
        for name, one in controls.items()
    }
    order = sorted(raw, key=raw.get)
    found = [adjusted[name].p for name in order]
    assert found == sorted(found)
    assert all(raw[name] - 1e-12 <= adjusted[name].p <= 1 for name in raw)
    assert adjusted[order[0]].p == pytest.approx(min(1, count * raw[order[0]]))


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
    for part in ("A winning ticket", "80.0 %", "beats reinit by 3.5 points", "3 seeds"):
        assert part in found["sentence"]


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
    assert "reinit beats it" in found["sentence"]


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
    arms["shuffle"][0][4] = None
    found = stats.verdict([10, 11, 12, 13, 14], rounds_of([*DENSE, 0.9, 0.9], arms, LADDER), list(arms), MARGIN)
    whole = stats.verdict([10, 11, 12], rounds_of(DENSE, winner(), LADDER), list(arms), MARGIN)
    assert found["seeds"] == 3
    assert "13, 14" in found["sentence"]
    for key in ("winning_ticket", "matching_round", "against"):
        assert found[key] == whole[key]


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
    assert f"About {stats.seeds_to_decide(results, MARGIN)} seeds would decide" in found["sentence"]
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


# By simulation


def claims(draws: int, gap_dense: float, gap_reinit: float, seeds: int = 3, rounds: int = 12) -> float:
    """The share of winning tickets found; spread of a network 0.3 points, gaps in points, at every sparsity."""
    draw = np.random.default_rng(20261123)
    sparsity = 1 - 0.8 ** np.arange(1, rounds + 1)
    won = 0
    for _ in range(draws):
        base = 0.9 + 0.002 * draw.standard_normal(seeds)  # what the networks of a seed share
        noise = {name: 0.003 * draw.standard_normal((rounds, seeds)) for name in ("ticket", "reinit", "shuffle")}
        ticket = base + gap_dense / 100 + noise["ticket"]
        control = base + (gap_dense - gap_reinit) / 100
        arms = {"ticket": ticket, "reinit": control + noise["reinit"], "shuffle": control + noise["shuffle"]}
        results = stats.Results(sparsity, base + 0.003 * draw.standard_normal(seeds), arms)
        won += stats.decide(results, MARGIN)[0] is True
    return won / draws


@pytest.mark.parametrize("seeds", [3, 5])
@pytest.mark.parametrize(("gap_dense", "gap_reinit"), [(0.0, 0.0), (-1.0, 0.0), (-1.0, 2.0)])
def test_where_there_is_no_ticket_hardly_one_is_claimed(gap_dense, gap_reinit, seeds):
    """At each border of the hypothesis: no lead over reinit, or just not matching."""
    assert claims(400, gap_dense, gap_reinit, seeds) <= 0.08


def test_where_there_is_a_ticket_it_is_mostly_found():
    assert claims(300, 0.0, 0.5, seeds=3) >= 0.7
    assert claims(300, 0.0, 0.5, seeds=5) >= 0.95


def test_a_run_of_the_dense_network_alone_has_no_verdict_and_says_why():
    dense = {"round": 0, "sparsity": 0.0, "arms": {"dense": {"test_accuracy": [0.9, 0.91, 0.89]}}}
    found = stats.verdict([0, 1, 2], [dense], ["ticket"], 0.01)
    assert found["winning_ticket"] is None
    assert found["sentence"] == "No verdict: only the dense network was trained."
