"use strict";

// The nets' forward passes, in double precision, equation by equation as in the project's Python.
//
// A vector is an array of numbers, a matrix an array of rows. A cell turns the input x_t and what
// it kept of step t - 1 into everything there is to see at step t; a new one is an entry in CELLS.
// Weights are named as in results.json: W_xh leads from the inputs to h, W_hi from h to gate i.

const Nets = (() => {
  // ---- Algebra -----------------------------------------------------------------------------------

  function dot(W, v) {
    return W.map((row) => {
      let sum = 0;
      for (let k = 0; k < v.length; k += 1) sum += row[k] * v[k];
      return sum;
    });
  }

  const add = (a, b, ...more) => {
    const sum = a.map((value, k) => value + b[k]);
    return more.length ? add(sum, ...more) : sum;
  };
  const times = (a, b) => a.map((value, k) => value * b[k]);
  const oneMinus = (a) => a.map((value) => 1 - value);
  const zeros = (n) => new Array(n).fill(0);
  const tanh = (z) => z.map(Math.tanh);
  const relu = (z) => z.map((value) => Math.max(value, 0));
  const sigma = (z) => z.map((value) => (1 + Math.tanh(value / 2)) / 2);

  function softmax(y) {
    const top = Math.max(...y);
    const e = y.map((value) => Math.exp(value - top));
    const sum = e.reduce((a, b) => a + b);
    return e.map((value) => value / sum);
  }

  // ---- Cells -------------------------------------------------------------------------------------

  // start(W): what stands before the first step; step(W, x, before): what there is at a step;
  // rows: what to draw, from top to bottom; unit: the name of one unit.

  const rnn = {
    name: "tanh RNN",
    rows: [{ show: ["h"], title: "state h", range: [-1, 1] }],
    start: (W) => ({ h: zeros(W.b_h.length) }),
    step(W, x, { h }) {
      h = tanh(add(dot(W.W_hh, h), dot(W.W_xh, x), W.b_h));
      return { h };
    },
  };

  const irnn = {
    ...rnn,
    name: "IRNN",
    rows: [{ show: ["h"], title: "state h" }],
    step(W, x, { h }) {
      h = relu(add(dot(W.W_hh, h), dot(W.W_xh, x), W.b_h));
      return { h };
    },
  };

  const LSTM_ROWS = [
    { show: ["c"], title: "cell state c" },
    { show: ["i"], title: "input gate i", range: [0, 1] },
    { show: ["f"], title: "forget gate f", range: [0, 1] },
    { show: ["o"], title: "output gate o", range: [0, 1] },
    { show: ["g"], title: "candidate g", range: [-1, 1] },
    { show: ["h"], title: "output h", range: [-1, 1] },
  ];

  const lstm = {
    name: "LSTM",
    rows: LSTM_ROWS,
    start: (W) => ({ c: zeros(W.b_g.length), h: zeros(W.b_g.length) }),
    step(W, x, { c, h }) {
      const o = sigma(add(dot(W.W_ho, h), dot(W.W_xo, x), W.b_o));
      const i = sigma(add(dot(W.W_hi, h), dot(W.W_xi, x), W.b_i));
      const f = sigma(add(dot(W.W_hf, h), dot(W.W_xf, x), W.b_f));
      const g = tanh(add(dot(W.W_hg, h), dot(W.W_xg, x), W.b_g));
      c = add(times(i, g), times(f, c));
      h = times(o, tanh(c));
      return { o, i, f, g, c, h };
    },
  };

  const lstm1997 = {
    ...lstm,
    name: "LSTM of 1997, no forget gate",
    rows: LSTM_ROWS.filter((row) => !row.show.includes("f")),
    step(W, x, { c, h }) {
      const o = sigma(add(dot(W.W_ho, h), dot(W.W_xo, x), W.b_o));
      const i = sigma(add(dot(W.W_hi, h), dot(W.W_xi, x), W.b_i));
      const g = tanh(add(dot(W.W_hg, h), dot(W.W_xg, x), W.b_g));
      c = add(times(i, g), c);
      h = times(o, tanh(c));
      return { o, i, g, c, h };
    },
  };

  // With the reset gate behind the matrix, as in torch; a high update gate z keeps the state.
  const gru = {
    name: "GRU",
    rows: [
      { show: ["h"], title: "state h", range: [-1, 1] },
      { show: ["z"], title: "update gate z", range: [0, 1] },
      { show: ["r"], title: "reset gate r", range: [0, 1] },
      { show: ["n"], title: "candidate n", range: [-1, 1] },
    ],
    start: (W) => ({ h: zeros(W.b_n.length) }),
    step(W, x, { h }) {
      const r = sigma(add(dot(W.W_hr, h), dot(W.W_xr, x), W.b_r));
      const z = sigma(add(dot(W.W_hz, h), dot(W.W_xz, x), W.b_z));
      const m = add(dot(W.W_hm, h), W.b_m);
      const n = tanh(add(dot(W.W_xn, x), W.b_n, times(r, m)));
      h = add(times(oneMinus(z), n), times(z, h));
      return { r, z, m, n, h };
    },
  };

  // The net of 1997 (equations A.5 to A.7): memory cells in blocks, a pair of gates for each block.
  // Every unit sees the activations of all hidden units a step earlier, the inputs and a 1; cell c
  // belongs to block c mod blocks. h and g are logistic functions, scaled and shifted to the ranges
  // [-h_range, h_range] and [-g_range, g_range]; output units are logistic, too.
  const blocks1997 = {
    name: "LSTM of 1997",
    rows: [
      { show: ["s"], title: "cell states s" },
      { show: ["y_in"], title: "input gates", range: [0, 1] },
      { show: ["y_out"], title: "output gates", range: [0, 1] },
      { show: ["y_c"], title: "cell outputs y_c" },
    ],
    start: (W, { gate_start }) => ({
      s: zeros(W.W_c.length),
      y_c: zeros(W.W_c.length),
      y_in: W.W_in.map(() => gate_start),
      y_out: W.W_out.map(() => gate_start),
    }),
    step(W, x, { s, y_c, y_in, y_out }, { h_range, g_range }) {
      const y = [...y_c, ...y_in, ...y_out, ...x, 1];
      const block = (c) => c % W.W_in.length;
      const g = dot(W.W_c, y).map((net) => g_range * Math.tanh(net / 2));
      y_in = sigma(dot(W.W_in, y));
      y_out = sigma(dot(W.W_out, y));
      s = s.map((s_c, c) => s_c + y_in[block(c)] * g[c]);
      y_c = s.map((s_c, c) => y_out[block(c)] * h_range * Math.tanh(s_c / 2));
      return { y_in, y_out, g, s, y_c };
    },
    answer: (W, { y_c }) => sigma(dot(W.W_k, [...y_c, 1])),
  };

  const CELLS = { rnn, irnn, lstm, lstm1997, gru, blocks1997 };

  // ---- A sequence --------------------------------------------------------------------------------

  // Runs a net {cell, weights, reading} on x (T arrays of n_in numbers). Returns a list with, for
  // each step, everything that the cell computes, and y, what the net would answer there.
  function forward({ cell, weights, reading }, x) {
    const { start, step, answer = linear } = CELLS[cell];
    const W = weights;
    let now = start(W, reading);
    return x.map((x_t) => {
      now = step(W, x_t, now, reading);
      now.y = answer(W, now);
      return now;
    });
  }

  const linear = (W, { h }) => add(dot(W.W_hy, h), W.b_y);

  // ---- Lesions -----------------------------------------------------------------------------------

  const isRecurrent = (name) => name.startsWith("W_h") && name !== "W_hy";

  // How many units a net has that can be cut.
  const units = ({ weights }) => (weights.W_c ? weights.W_c.length : weights.W_hy[0].length);

  // The net with some units (numbers from 0) cut off: nothing leads from them to the other units or
  // to the answer. between: no unit sees another one; in a net of one unit, the unit does not see
  // its own output; in that of 1997, no hidden unit sees any. The net that is given stays as it is.
  function cut(net, { units: lost = [], between = false }) {
    const weights = { ...net.weights };
    const change = (name, rule) => {
      weights[name] = weights[name].map((row, to) => row.map((w, from) => (rule(to, from) ? 0 : w)));
    };
    const isLost = (from) => lost.includes(from);
    if (weights.W_c) {
      const hidden = weights.W_c.length + weights.W_in.length + weights.W_out.length;
      change("W_c", (to, from) => (between && from < hidden) || (isLost(from) && from !== to));
      for (const name of ["W_in", "W_out"]) {
        change(name, (to, from) => (between && from < hidden) || isLost(from));
      }
      change("W_k", (to, from) => isLost(from));
      return { ...net, weights };
    }
    const alone = units(net) === 1;
    for (const name of Object.keys(weights).filter(isRecurrent)) {
      change(name, (to, from) => (from !== to || alone) && (between || (isLost(from) && !alone)));
    }
    change("W_hy", (to, from) => isLost(from));
    return { ...net, weights };
  }

  // ---- Weights as they stand in the page ---------------------------------------------------------

  // {name: [shape, base64 of doubles, little-endian]} as {name: vector or matrix}.
  function unpack(packed) {
    const found = {};
    for (const [name, [shape, text]] of Object.entries(packed)) {
      const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
      const view = new DataView(bytes.buffer);
      const flat = Array.from({ length: bytes.length / 8 }, (_, k) => view.getFloat64(8 * k, true));
      const [rows, columns] = shape;
      found[name] = columns === undefined ? flat
        : Array.from({ length: rows }, (_, k) => flat.slice(k * columns, (k + 1) * columns));
    }
    return found;
  }

  return { CELLS, forward, cut, units, softmax, unpack };
})();
