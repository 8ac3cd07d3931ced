"""The science on records: against definitions, brute force, finite differences and the
experiments' own passes."""

import itertools

import numpy as np
import pytest

import adding_problem as ap
import lstm_1997 as lstm
import studies
from analysis import constant_sources, error_flow, gates, latching, stop_sets
from analysis.variance import two_way


@pytest.fixture(scope="module")
def headline(results):
    """The record of the adding problem's headline, LSTM, seed 0, with its weights."""
    return studies.find(results, "adding_problem", {})


@pytest.fixture
def random_lstm():
    """Weights of a small LSTM, and a sequence."""
    rng = np.random.default_rng(1)
    settings = ap.Settings(T=12, hidden=3, dtype="float64")
    net = ap.build(settings, 1)
    net.theta[:] = rng.normal(0, 0.7, net.theta.size)
    x = rng.normal(0, 1, (12, 2, 1))
    net.forward(x)
    return settings, net, x


# --------------------------------------------------------------------------------------------------
# Gates
# --------------------------------------------------------------------------------------------------

def test_a_step_alone_is_a_step_of_the_experiments_forward_pass(random_lstm):
    _, net, x = random_lstm
    weights = net.tensors(net.theta)
    for t in range(1, len(x)):
        h, c = gates.lstm_step(weights, x[t], net.h[t - 1], net.c[t])
        assert np.allclose(h, net.h[t], rtol=1e-13) and np.allclose(c, net.c[t + 1], rtol=1e-13)


def test_the_jacobian_of_a_step_is_its_finite_differences(random_lstm):
    _, net, x = random_lstm
    weights, t, step = net.tensors(net.theta), 5, 1e-6
    h, c = net.h[t - 1, :, 0], net.c[t, :, 0]
    jacobian = gates.step_jacobian(weights, x[t, :, 0], h, c)

    def after(state):
        """[c_t; h_t] after [c_{t-1}; h_{t-1}]."""
        h, c = gates.lstm_step(weights, x[t], state[3:, None], state[:3, None])
        return np.concatenate([c, h])[:, 0]

    state = np.concatenate([c, h])
    columns = [(after(state + step * e) - after(state - step * e)) / (2 * step) for e in np.eye(6)]
    assert np.allclose(jacobian, np.transpose(columns), rtol=1e-7, atol=1e-9)


def test_the_product_of_the_jacobians_is_what_the_experiments_own_net_passes_on(random_lstm):
    """d[c_T; h_T] / dx_1 by the complex step through adding_problem's forward pass, and by the
    chain rule."""
    settings, net, x = random_lstm
    weights, nudge = net.tensors(net.theta), np.zeros_like(x, complex)
    nudge[0, 0] = 1e-30j
    whole = ap.build(settings, 1, theta=net.theta.astype(complex))
    whole.forward(x + nudge)
    h, c = gates.lstm_step(weights, (x + nudge)[0], np.zeros((3, 1)), np.zeros((3, 1)))
    flow = np.concatenate([c, h])[:, 0].imag / 1e-30
    for t in range(1, len(x)):
        flow = gates.step_jacobian(weights, x[t, :, 0], net.h[t - 1, :, 0], net.c[t, :, 0]) @ flow
    assert np.allclose(flow, np.concatenate([whole.c[-1], whole.h[-1]])[:, 0].imag / 1e-30, rtol=1e-10)


def test_largest_eigenvalues_are_those_of_a_net_whose_state_is_its_forget_gate(headline):
    """Without recurrent weights c_t = f c_{t-1}, with the same f in every unit: all eigenvalues
    are f or 0."""
    weights = {name: np.zeros_like(np.array(value)) for name, value in headline["weights"].items()}
    weights["b_f"] = np.full(8, np.log(0.9 / 0.1))
    assert gates.leading_eigenvalues(headline | {"weights": weights}, 1) == pytest.approx((0.9, 0.9), rel=1e-12)


def test_slopes_of_a_trained_net_are_near_one(headline):
    assert gates.slopes(headline) == pytest.approx((1, 1), abs=0.05)


def test_gates_by_unit_are_means_over_the_steps_of_each_kind(headline):
    net, _, x = gates.on_held_out(headline)
    found = gates.gates_by_unit(headline)
    steps = [(t, k) for k in range(x.shape[2]) for t in np.flatnonzero(x[:, 1, k])]
    assert len(steps) == 2 * ap.N_TEST
    assert found["f"][0][3] == pytest.approx(np.mean([net.f[t, 3, k] for t, k in steps]))
    share = len(steps) / x[:, 0].size
    for gate in "ifo":
        marked, unmarked = found[gate]
        assert share * marked + (1 - share) * unmarked == pytest.approx(getattr(net, gate).mean((0, 2)))


# --------------------------------------------------------------------------------------------------
# Variance
# --------------------------------------------------------------------------------------------------

def test_analysis_of_variance():
    rows, columns = np.arange(6.0)[:, None], np.arange(4.0)
    noise = np.random.default_rng(0).normal(0, 0.1, (6, 4))
    weights, data, rest, f_weights, f_data = two_way(rows + noise)
    assert weights > 0.95 and f_weights > 100 and f_data < 5 and weights + data + rest == pytest.approx(1)
    assert two_way(columns + noise)[1] > 0.95
    assert two_way(10 * columns + 10 * rows + noise)[2] < 0.01


def test_analysis_of_variance_by_hand():
    found = two_way(np.array([[1.0, 2.0], [3.0, 8.0]]))  # mean 3.5; rows 1.5, 5.5; columns 2, 5; rest +-1
    assert found == pytest.approx((16 / 29, 9 / 29, 4 / 29, 16 / 4, 9 / 4))


# --------------------------------------------------------------------------------------------------
# Stop sets of Experiment 3b
# --------------------------------------------------------------------------------------------------

def test_share_of_turned_signs_and_hard_sets_by_simulation():
    rng = np.random.default_rng(0)
    turned = 1 + rng.normal(0, lstm.NOISE, (20_000, lstm.N_STOP)) < 0
    assert stop_sets.turned_signs() == pytest.approx(turned.mean(), abs=1e-4)
    hard = turned.sum(1) > stop_sets.ALLOWED
    assert stop_sets.share_of_hard_sets() == pytest.approx(hard.mean(), abs=0.01)
    assert stop_sets.share_of_hard_sets(lstm.N_STOP) == pytest.approx(0, abs=1e-12)


def test_what_st1_allows_is_the_experiments_criterion():
    assert lstm.held_out_reached("3b", 0, stop_sets.ALLOWED, 1.0)
    assert not lstm.held_out_reached("3b", 0, stop_sets.ALLOWED + 1, 1.0)


def test_hardness_is_that_of_the_best_of_all_thresholds():
    settings = lstm.Settings(experiment="3b", T=100, N=1)
    batches = list(lstm.Trial(settings, 3).stop_sets())
    x = np.concatenate([batch.x[:, 0, 0] for batch in batches])
    high = np.concatenate([batch.target[:, 0] > 0.5 for batch in batches])
    turned, fewest = stop_sets.hardness(batches)
    assert len(x) == lstm.N_STOP and turned == sum((value > 0) != answer for value, answer in zip(x, high))
    between = (np.sort(x)[1:] + np.sort(x)[:-1]) / 2
    assert fewest == min(np.sum((x > threshold) != high) for threshold in between) <= turned


# --------------------------------------------------------------------------------------------------
# Latching
# --------------------------------------------------------------------------------------------------

def test_factor_per_step_of_a_geometric_decay():
    assert np.allclose(latching.factor_per_step([0.9**50, 1e-3], [0.9**100, 1e-3], 50), [0.9, 1])


def test_pairs_won_are_counted():
    values, others = [3, 1, 5], [2, 4]
    won = sum(a > b for a, b in itertools.product(values, others))
    assert latching.pairs_won(values, others) == won / 6
    assert latching.pairs_won([1], [1]) == 0


def test_rank_correlation_is_that_of_its_definition():
    """Without ties 1 - 6 sum d^2 / (n (n^2 - 1)); with ties the mean of the places; any increasing
    function changes nothing."""
    values, others = np.array([0.1, 3.0, 2.0, 9.0, 5.0]), np.array([1.0, 2.0, 4.0, 3.0, 8.0])
    assert latching.ranks(values).tolist() == [1, 3, 2, 5, 4]
    d = latching.ranks(values) - latching.ranks(others)
    assert latching.rank_correlation(values, others) == pytest.approx(1 - 6 * (d**2).sum() / (5 * 24))
    assert latching.ranks([7, 7, 1, 7, 9]).tolist() == [3, 3, 1, 3, 5]
    assert latching.rank_correlation([1, 1, 2], [1, 2, 3]) == pytest.approx(np.sqrt(3) / 2)
    increasing = latching.rank_correlation(np.exp(values), others**3)
    assert increasing == pytest.approx(latching.rank_correlation(values, others))
    assert latching.rank_correlation(values, -values) == pytest.approx(-1)
    assert latching.rank_correlation([1, 1, 2], [5, 5, 9]) == pytest.approx(1)
    assert np.isnan(latching.rank_correlation([1, 1, 1], [1, 2, 3]))


def test_ranks_of_values_that_are_there_several_times_or_not_at_all():
    values, others = np.array([0.1, 3.0, 2.0, 3.0, 5.0]), np.array([1.0, 2.0, 4.0, 3.0, 8.0])
    times = np.array([[1, 1, 1, 1, 1], [2, 0, 3, 1, 1], [0, 1, 1, 0, 4]])
    found = latching.rank_correlation(values, others, times)
    for row, correlation in zip(times, found, strict=True):
        chosen = np.repeat(np.arange(5), row)
        assert correlation == pytest.approx(latching.rank_correlation(values[chosen], others[chosen]))
        assert latching.ranks(values, row)[chosen].tolist() == latching.ranks(values[chosen]).tolist()


def test_pairs_count_equal_values_as_half():
    assert latching.pairs([1, 2, 2, 3], [False, True, False, True]) == pytest.approx((1 + 0.5 + 1 + 1) / 4)
    assert latching.pairs([1, 2], [True, True]) is None


def test_a_bootstrap_over_groups_is_as_wide_as_few_groups_make_it():
    values = np.repeat([0.0, 1.0], 50)

    def mean(times):
        return times @ values / times.sum(-1)

    assert latching.bootstrap(mean, np.repeat([0, 1], 50)).tolist() == [0, 1]  # both groups drawn, or one twice
    low, high = latching.bootstrap(mean, np.arange(100))
    assert abs(low - 0.4) < 0.03 and abs(high - 0.6) < 0.03  # the binomial's 0.5 -+ 1.96 / 20
    assert latching.bootstrap(mean, np.arange(100)).tolist() == [low, high]


def test_a_logistic_regression_finds_what_the_data_were_drawn_from():
    rng = np.random.default_rng(0)
    X = rng.normal([3.0, -1.0], [2.0, 0.5], (20_000, 2))
    p = 1 / (1 + np.exp(-(0.4 + 1.5 * (X[:, 0] - 3) / 2)))
    predict, weights = latching.logistic_regression(X, rng.random(20_000) < p)
    assert 1.2 < weights[0] < 1.5 and abs(weights[1]) < 0.05  # the ridge pulls a little
    assert abs(predict(X) - p).mean() < 0.02
    slope = predict(np.array([[1.0, 0], [2, 0], [3, 0]]))
    assert (np.diff(slope) > 0).all()


def test_separable_data_give_finite_weights():
    X = np.arange(10.0)[:, None]
    predict, weights = latching.logistic_regression(X, X[:, 0] > 4.5)
    assert np.isfinite(weights).all() and ((predict(X) > 0.5) == (X[:, 0] > 4.5)).all()


def test_a_group_that_is_left_out_teaches_nothing():
    """Two groups in which a quantity means the opposite: each is judged by the other, and wrongly."""
    X = np.tile([[0.0], [1.0]], (40, 1))
    groups = np.repeat([0, 1], 40)
    won = np.where(groups == 0, X[:, 0] == 1, X[:, 0] == 0)
    p = latching.left_out(X, won, groups)
    assert ((p > 0.5) != won).all()
    assert latching.deviance(p, won).sum() > latching.deviance(np.full(80, 0.5), won).sum()


def latch_record(T, start, gradient, accuracy):
    settings = dict.fromkeys(latching.START) | dict(task="latch", T=T, init_scale=start, repeats=len(gradient))
    return dict(settings=settings, history=dict(test_accuracy=[[0.5] * len(gradient)]),
                final=dict(gradient_start=gradient, test_accuracy=accuracy))


def test_repeats_of_settings_are_one_model():
    made = [latch_record(T, start, [10.0**-k for k in range(4)], [1.0] * n + [0.5] * (4 - n))
            for start in (1, 1.0, 2.0, 3.0) for T, n in ((10, 3), (20, 2), (40, 1))]
    own = latching.Repeats.of(made)
    assert own.won.shape == (12, 4) and own.share[:3].tolist() == [0.75, 0.5, 0.25]
    assert len(set(own.start)) == 3  # 1 and 1.0 start alike
    gradient = own.values("gradient")
    assert np.allclose(gradient[0], [0, -1, -2, -3])
    assert own.within(gradient)[0] == 1  # within a setting the steeper ones succeed
    correlation, *interval = own.correlation(own.values("length"))
    assert [correlation, *interval] == pytest.approx([1, 1, 1])
    _, (explained, low, high) = own.joint("gradient", "length")
    assert 0.5 < low <= explained <= high < 1
    assert own.joint("gradient", "length") is own.joint("gradient", "length")
    alike = [record | dict(final=record["final"] | dict(gradient_start=[0.1] * 4)) for record in made]
    nothing = latching.Repeats.of(alike)
    assert abs(nothing.joint("gradient")[1][0]) < 0.02
    lost = latch_record(10, 1.0, [1e-300, 0.0], [None, 1.0])
    own = latching.Repeats.of([lost])
    assert own.won.tolist() == [[False, True]] and own.values("gradient").tolist() == [[-16, -16]]


def test_steepest_slopes_of_a_plane_with_a_wall():
    x, y = np.linspace(0, 1, 5), np.linspace(0, 2, 9)
    loss = 3 * x + 2 * y[:, None]
    assert latching.steepest(loss, x, y) == pytest.approx((3, 2))
    loss[4:, 2:] += 1
    assert latching.steepest(loss, x, y) == pytest.approx((3 + 4, 2 + 4))


# --------------------------------------------------------------------------------------------------
# Error flow
# --------------------------------------------------------------------------------------------------

def test_the_state_carries_an_error_unchanged_where_nothing_comes_back_to_it():
    """With all hidden weights 0 no gate or input of a later step sees the state: ds(t) / ds(t -
    q) = 1."""
    settings = lstm.Settings(experiment="4", T=100)
    theta = np.zeros(lstm.Layout(settings).size)
    flow = error_flow.state_to_state(settings, theta, 0, [0, 5, 40])
    assert flow.shape == (3, lstm.Layout(settings).cells) and np.allclose(flow, 1, rtol=1e-12)


def test_the_error_flow_of_a_plain_net_is_its_definition():
    lags = np.array([0, 1, 3])
    flow = error_flow.unit_to_unit("tanh", 4, 0.45, 7, lags)
    rng = np.random.default_rng(7)
    W, y, jacobians = rng.uniform(-0.45, 0.45, (4, 4)), np.zeros(4), []
    for _ in range(3 + 50):
        y = np.tanh(W @ y + rng.uniform(-1, 1, 4))
        jacobians.append(np.diag(1 - y * y) @ W)
    last, before, first = jacobians[-1], jacobians[-2], jacobians[-3]
    assert flow == pytest.approx([1, abs(last).max(), abs(last @ before @ first).max()])
    logistic = error_flow.unit_to_unit("logistic", 4, 0.45, 7, lags)
    assert (logistic[1:] <= 4 * (4 * 0.45 / 4) ** lags[1:]).all()  # section 3.1.5's bound


# --------------------------------------------------------------------------------------------------
# Constant sources
# --------------------------------------------------------------------------------------------------

def a_net_of_one_cell(constant, T=100, trials=400, sequences=300, seed=0):
    """Experiment 4 with one cell of the first block, gates that stay as they start, and a state that
    is a plain sum: w_out and the weights it shrinks or grows with. Returns the mean log |w_out|
    after each sequence, and the moving average."""
    rng = np.random.default_rng(seed)
    y_in, lr = 1 / (1 + np.exp(3)), 0.5
    w = rng.choice([-0.05, 0.05], trials)
    v, b = (0 * w, 0 * w) if constant else (w.copy(), 0 * w)
    logs = []
    for _ in range(sequences):
        X = rng.uniform(-1, 1, (2, trials)).sum(0)
        s = y_in * (v * X + b * T * np.sqrt(1.5))
        e = X / 4 - w * s / 16  # t - y, with y = 1/2 + w y_c / 4 and y_c = s / 4
        ds = lr * e * w / 4
        w = w + lr * e * s / 4
        if constant:
            b = b + ds * y_in * T * np.sqrt(1.5)
        else:
            v = v + ds * y_in * X
        logs.append(np.log(abs(w)).mean())
    return np.array(logs)


def test_the_calculation_is_what_a_net_of_one_cell_does():
    decay, growth = constant_sources.rates(100)
    shrinking, growing = a_net_of_one_cell(True), a_net_of_one_cell(False, sequences=1000)
    assert -(shrinking[-1] - shrinking[100]) / 199 == pytest.approx(decay, rel=0.3)
    assert (growing[-1] - growing[0]) / 999 == pytest.approx(growth, rel=0.15)
    assert constant_sources.rates(500)[0] == pytest.approx(25 * decay)


def test_moments_at_which_output_weights_have_shrunk_or_grown():
    history = dict(train_sequences=[1, 2, 3], w_out=[
        [[1.0, 5.0], [2.0, 5.0]], [[0.4, 5.0], [3.0, 5.0]], [None, [4.5, 5.0]]])
    record = dict(history=history)
    assert constant_sources.sequences_until(record, 0.5).tolist() == [2, np.inf]
    assert constant_sources.sequences_until(record, 1.5).tolist() == [np.inf, 2]
    assert constant_sources.sequences_until(record, 0.1).tolist() == [np.inf, np.inf]
