# SPDX-License-Identifier: BSD-3-Clause
"""Least squares from factors: the same answers as from all rows at once."""

import numpy as np
import pytest

from mlcalc.train.committee import Gauge, calibration_scale, calibration_table, fit_members, member_subsets
from mlcalc.train.options import CommitteeOptions
from mlcalc.train.progress import Progress
from mlcalc.train.regularize import Problem, choose_strength, choose_term_weights
from mlcalc.train.solve import (
    Factor,
    IllConditioned,
    Prior,
    PriorBlock,
    RidgePath,
    augmented_solve,
    kernel_cholesky,
    leave_structures_out,
    merge,
    normal_solve,
    sum_of_squares,
)


@pytest.fixture
def rows():
    rng = np.random.default_rng(5)
    a = rng.normal(size=(200, 12))
    return np.column_stack([a, a @ rng.normal(size=12) + 0.3 * rng.normal(size=200)])


def ridge(rows, lam):
    a, y = rows[:, :-1], rows[:, -1]
    return np.linalg.solve(a.T @ a + lam * np.eye(a.shape[1]), a.T @ y)


@pytest.mark.parametrize("method", ["qr", "normal"])
@pytest.mark.parametrize("block", [1, 7, 13, 64, 200])
def test_a_factor_stands_for_all_its_rows(rows, method, block):
    factor = Factor(12, method)
    for k in range(0, 200, block):
        factor.add(rows[k : k + block])
    b = factor.augmented()
    assert len(b) <= 13 and factor.n_rows == 200
    assert np.allclose(b.T @ b, rows.T @ rows, rtol=1e-12, atol=1e-11)
    assert np.allclose(augmented_solve(b, 2.0), ridge(rows, 2.0), rtol=1e-10)
    assert np.allclose(RidgePath(b).solutions([2.0])[:, 0], ridge(rows, 2.0), rtol=1e-10)


def test_few_rows_are_kept_as_they_are(rows):
    factor = Factor(12)
    factor.add(rows[:5])
    assert np.array_equal(factor.augmented(), rows[:5])
    assert np.allclose(augmented_solve(factor.augmented(), 0.1), ridge(rows[:5], 0.1))


def test_parts_can_be_merged(rows):
    b = merge([rows[:60], rows[60:65], rows[65:]], 12)
    assert np.allclose(b.T @ b, rows.T @ rows)


def test_validation_errors_need_no_rows(rows):
    v = np.linspace(-1, 1, 12)[:, None]
    factor = Factor(12)
    factor.add(rows)
    expected = np.sum((rows[:, :-1] @ v[:, 0] - rows[:, -1]) ** 2)
    assert sum_of_squares(factor.augmented(), v)[0] == pytest.approx(expected, rel=1e-12)


def test_a_kernel_prior_is_the_quadratic_form_of_the_kernel(rows):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(7, 9))
    kernel = x @ x.T
    prior = Prior([PriorBlock(0, 7, kernel_cholesky(kernel)), PriorBlock(7, 12, None, 2.0)])
    w = prior.unwhiten(augmented_solve(prior.whiten(rows), 0.7))
    a, y = rows[:, :-1], rows[:, -1]
    penalty = np.zeros((12, 12))
    penalty[:7, :7], penalty[7:, 7:] = kernel, np.eye(5) / 4
    assert np.allclose(w, np.linalg.solve(a.T @ a + 0.7 * penalty, a.T @ y), rtol=1e-6)


def test_offsets_are_not_regularized(rows):
    # two groups with offsets of 1000: only unregularized columns can follow
    groups = np.zeros((200, 3))
    groups[:100, 0] = groups[100:180, 1] = 1
    shifted = np.column_stack([rows[:, :-1], groups, rows[:, -1] + groups @ [1000.0, -500.0, 0.0]])
    factor = Factor(15)
    factor.add(shifted)
    solutions = [augmented_solve(factor.augmented(), 5.0, 3), RidgePath(factor.augmented(), 3).solutions([5.0])[:, 0]]
    a = shifted[:, :-2]
    penalty = np.diag([5.0] * 12 + [0.0] * 2)
    expected = np.linalg.solve(a.T @ a + penalty, a.T @ shifted[:, -1])
    for v in solutions:
        assert np.allclose(v[:14], expected, rtol=1e-8, atol=1e-8)
        assert v[14] == 0  # the group that no row belongs to


def test_leave_structures_out_is_what_refitting_gives(rows):
    lam, parts = 0.5, [rows[k : k + 8] for k in range(0, 200, 8)]
    expected = 0.0
    for k, part in enumerate(parts):
        w = ridge(np.concatenate([p for i, p in enumerate(parts) if i != k]), lam)
        expected += np.sum((part[:, :-1] @ w - part[:, -1]) ** 2)
    factor = Factor(12)
    factor.add(rows)
    assert leave_structures_out(RidgePath(factor.augmented()), parts, [lam])[0] == pytest.approx(expected, rel=1e-9)


def test_normal_equations_admit_when_they_are_too_ill_conditioned():
    a = np.vander(np.linspace(0, 1, 60), 14)
    rows = np.column_stack([a, np.sin(3 * a[:, -2])])
    with pytest.raises(IllConditioned):
        normal_solve(rows, 1e-15)
    v = augmented_solve(rows, 1e-15)
    assert np.abs(rows[:, :-1] @ v - rows[:, -1]).max() < 1e-6
    assert np.allclose(normal_solve(rows, 1e-3), ridge(rows, 1e-3), rtol=1e-6)


def test_energies_that_are_far_off_do_not_decide_alone():
    """One kind of label is worse by a factor of 1000 whatever the strength, and by 1 % less where the other is lost."""
    rng = np.random.default_rng(8)
    n = 30
    a, w = rng.normal(size=(200, n)), rng.normal(size=n)
    forces = np.column_stack([a, a @ w + 0.1 * rng.normal(size=200)])
    held = rng.normal(size=(80, n))
    energies = np.column_stack([held[:10], held[:10] @ w + 300.0 * np.sign(rng.normal(size=10))])
    validation = {"energy": (energies, 10), "forces": (np.column_stack([held, held @ w]), 80)}
    choice = choose_strength(Problem([forces], validation, 200, n), Prior([]), "validation")
    path = RidgePath(forces)
    errors = [np.sqrt(np.mean((held @ (path.solutions([lam])[:, 0] - w)) ** 2)) for lam in (choice.lam, choice.lams[0])]
    assert errors[0] < 1.05 * errors[1]
    alone = [np.sum((energies[:, :-1] @ v - energies[:, -1]) ** 2) for v in path.solutions(choice.lams).T]
    assert np.argmin(alone) > choice.lams.index(choice.lam) + 5, "the test cannot fail: energies want the same"


def test_of_strengths_that_are_alike_the_largest_is_taken():
    """Directions that no label needs: without noise a plateau reaches down to no regularization at all."""
    rng = np.random.default_rng(9)
    n = 20
    scales = np.where(np.arange(n) < 10, 1.0, 1e-4)
    a = rng.normal(size=(200, n)) * scales
    w = np.where(np.arange(n) < 10, 1.0, 0.0)
    rows, held = (np.column_stack([x, x @ w + 0.1 * rng.normal(size=len(x))]) for x in (a[:150], a[150:]))
    choice = choose_strength(Problem([rows], {"forces": (held, 50)}, 150, n), Prior([]), "validation")
    assert choice.score <= 1.02 * min(choice.scores) and choice.lam > 10 * choice.lams[np.argmin(choice.scores)]
    later = choice.scores[choice.lams.index(choice.lam) + 1 :]
    assert min(later) > 1.02 * min(choice.scores)


@pytest.mark.parametrize("criterion", ["validation", "folds", "gcv", "structures"])
def test_every_criterion_finds_a_strength_that_generalizes(criterion):
    rng = np.random.default_rng(8)
    n, truth = 40, rng.normal(size=40) / np.arange(1, 41)
    a = rng.normal(size=(360, n))
    rows = np.column_stack([a, a @ truth + rng.normal(size=360)])
    train, validation = rows[:60], rows[60:]
    parts = [train[k::6] for k in range(6)]
    problem = Problem(parts, {"energy": (validation, 300)}, 60, n)
    problem.structure_rows = lambda: iter([train[k : k + 2] for k in range(0, 60, 2)])
    choice = choose_strength(problem, Prior([]), criterion, 6)
    # for normal rows the squared error of a prediction without noise is that of the weights
    errors = [np.sum((ridge(train, lam) - truth) ** 2) for lam in np.geomspace(1e-6, 1e4, 41)]
    assert np.sum((ridge(train, choice.lam) - truth) ** 2) < 1.25 * min(errors) < 0.8 * min(errors[0], errors[-1])


def test_term_weights_switch_off_a_term_of_noise():
    rng = np.random.default_rng(2)
    a = rng.normal(size=(300, 40))
    rows = np.column_stack([a, a[:, :20] @ rng.normal(size=20) + 0.5 * rng.normal(size=300)])
    problem = Problem([rows[:50]], {"energy": (rows[50:], 250)}, 50, 40)
    prior = Prior([PriorBlock(0, 20), PriorBlock(20, 40)])
    plain = choose_strength(problem, prior, "validation")
    _, choice = choose_term_weights(problem, prior, [0, 1], "validation", 5, lambda text: None)
    assert choice.term_weights[1] < 0.2
    assert choice.score < 0.8 * plain.score


def test_calibration_recovers_a_known_scale():
    # a Gaussian process of one weight: members spread by s, errors by 3 s
    rng = np.random.default_rng(1)
    m, n = 16, 4000
    s = rng.uniform(0.5, 2.0, n)
    members = rng.normal(size=(m, n)) * s
    spread = members.std(axis=0, ddof=1)
    # the mean of the members is itself uncertain by s / sqrt(m); the formula accounts for it
    errors = 3.0 * s * rng.normal(size=n) + members.mean(axis=0)
    scale = calibration_scale(errors, spread, m)
    assert scale == pytest.approx(3.0, rel=0.05)
    table = calibration_table(errors, scale * spread)
    assert sum(r["n"] for r in table) == n
    for r in table:
        assert r["rmse"] == pytest.approx(r["sigma"], rel=0.35)
    assert np.mean([r["within_1_sigma"] for r in table]) == pytest.approx(0.68, abs=0.04)


def test_forces_that_symmetry_makes_zero_do_not_decide_the_calibration():
    rng = np.random.default_rng(3)
    spread = rng.uniform(0.5, 1.5, 1000)
    errors = 2.0 * spread * rng.normal(size=1000)
    scale = calibration_scale(errors, spread, 16)
    with_zeros = np.append(errors, np.full(300, 1e-9)), np.append(spread, np.full(300, 1e-15))
    assert calibration_scale(*with_zeros, 16) == scale
    assert sum(r["n"] for r in calibration_table(with_zeros[0], scale * with_zeros[1])) == 1000


def test_members_see_different_structures():
    subsets = member_subsets(16, 8, 0.5, seed=1)
    assert len({tuple(s) for s in subsets}) == 8 and all(len(s) == 8 for s in subsets)
    assert all(np.array_equal(a, b) for a, b in zip(subsets, member_subsets(16, 8, 0.5, seed=1), strict=True))


def test_members_differ_by_the_sigma_of_what_is_asked_without_data():
    """Of two weights the data fix one, and a row without data the other one, within 0.3."""
    folds = [np.array([[1.0, 0.0, 2.0]]) for _ in range(16)]
    problem = Problem(folds, {}, 16, 2)
    problem.outside = np.array([[0.0, 1.0, 5.0]]) / 0.3
    prior, gauge = Prior([PriorBlock(0, 2)]), Gauge(np.zeros((1, 2)), 1.0)
    options, center = CommitteeOptions(members=64), np.array([2.0, 5.0])
    weights = fit_members(problem, prior, 1e-9, center, options, 1, Progress(False), gauge)
    assert np.ptp(weights[:, 0]) < 1e-6
    assert 0.2 < weights[:, 1].std(ddof=1) < 0.4
    np.testing.assert_allclose(weights.mean(axis=0), center, rtol=1e-12)
