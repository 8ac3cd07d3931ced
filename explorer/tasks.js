"use strict";

// The tasks' sequences, drawn from a seed, and what counts as a right answer.
//
// A sequence is {values, marks} or {symbols}: what a person can change. A task turns it into the
// inputs that the net sees, tells the right answer, and judges the net's.

const Tasks = (() => {
  // ---- Random numbers ----------------------------------------------------------------------------

  // The generator sfc32 (Chris Doty-Humphrey), started from a whole number. Not numpy's: the page
  // draws sequences of its own, which no net was trained or tested on.
  function generator(seed) {
    let [a, b, c, d] = [0x9e3779b9, 0x243f6a88, (seed >>> 0) ^ 0xb7e15162, Math.floor(seed / 2 ** 32) + 1];
    const bits = () => {
      const sum = (((a + b) | 0) + d) | 0;
      d = (d + 1) | 0;
      a = b ^ (b >>> 9);
      b = (c + (c << 3)) | 0;
      c = (((c << 21) | (c >>> 11)) + sum) | 0;
      return sum >>> 0;
    };
    for (let k = 0; k < 15; k += 1) bits();
    const unit = () => ((bits() >>> 5) * 2 ** 26 + (bits() >>> 6)) / 2 ** 53; // in [0, 1)
    return {
      uniform: (low, high) => low + (high - low) * unit(),
      integer: (low, high) => low + Math.floor((high - low) * unit()), // high is left out
      normal: (mean, sd) => mean + sd * Math.sqrt(-2 * Math.log(1 - unit())) * Math.cos(2 * Math.PI * unit()),
    };
  }

  const list = (n, make) => Array.from({ length: n }, (_, k) => make(k));
  const oneHot = (symbol, kinds) => list(kinds, (k) => (k === symbol ? 1 : 0));
  const indexOfLargest = (y) => y.indexOf(Math.max(...y));

  // ---- Tasks -------------------------------------------------------------------------------------

  // draw(random, own): a sequence, own: the net's {T, ...} from the page's data;
  // inputs(sequence): T arrays of numbers; target(sequence): the right answer, null if there is none;
  // answer(y): what the net says, in the terms of the target; right(y, target, own);
  // fixed(sequence, step): whether a value or symbol there has to stay as it is;
  // matters(sequence): the steps that the right answer depends on.

  // Two of T values are marked; the answer is their sum.
  const adding = {
    kind: "pair",
    range: [-1, 1],
    answers: [-2, 2],
    draw(random, { T }) {
      const values = list(T, () => random.uniform(-1, 1));
      const half = Math.floor(T / 2);
      return { values, marks: [random.integer(0, half), random.integer(half, T)] };
    },
    inputs: ({ values, marks }) => values.map((value, t) => [value, marks.includes(t) ? 1 : 0]),
    target: ({ values, marks: [a, b] }) => values[a] + values[b],
    answer: (y) => y[0],
    right: (y, target, { tolerance }) => Math.abs(y[0] - target) < tolerance,
    fixed: () => false,
    mayMark: () => true,
    matters: ({ marks }) => [...marks].sort((a, b) => a - b),
  };

  // Experiment 4 of 1997: one of the first ten values is marked by 1, and one of the first T/2 - 1
  // others. First and last carry -1; a first one that is marked has 1 and the value 0. The sequence
  // has T to T + T/10 steps; the target lies in [0, 1].
  const adding1997 = {
    ...adding,
    answers: [0, 1],
    draw(random, { T }) {
      const steps = random.integer(T, T + Math.floor(T / 10) + 1);
      const values = list(steps, () => random.uniform(-1, 1));
      const first = random.integer(0, 10);
      let second = random.integer(0, Math.floor(T / 2) - 1);
      if (second >= first) second += 1;
      const marks = [first, second];
      if (marks.includes(0)) values[0] = 0;
      return { values, marks };
    },
    inputs({ values, marks }) {
      const ends = [0, values.length - 1];
      return values.map((value, t) => {
        const marker = marks.includes(t) ? 1 : ends.includes(t) ? -1 : 0;
        return [value, marker];
      });
    },
    target: ({ values, marks: [a, b] }) => 0.5 + (values[a] + values[b]) / 4,
    fixed: ({ marks }, t) => t === 0 && marks.includes(0),
    mayMark: ({ values }, t) => t > 0 && t < values.length - 1,
  };

  // Three bits, then noise of two kinds, at the end a query: which of eight patterns was it?
  const threeBits = {
    kind: "symbols",
    names: ["0", "1", "?", "·", ":"],
    draw(random, { T }) {
      const symbols = list(T, () => random.integer(3, 5));
      for (let t = 0; t < 3; t += 1) symbols[t] = random.integer(0, 2);
      symbols[T - 1] = 2;
      return { symbols };
    },
    inputs: ({ symbols }) => symbols.map((symbol) => oneHot(symbol, 5)),
    target: ({ symbols: [a, b, c] }) => (Math.max(a, b, c) < 2 ? 4 * a + 2 * b + c : null),
    classes: list(8, (k) => k.toString(2).padStart(3, "0")),
    answer: indexOfLargest,
    right: (y, target) => indexOfLargest(y) === target,
    choices: (sequence, t) => (t < 3 ? [0, 1] : t < sequence.symbols.length - 1 ? [3, 4] : []),
    mayMove: () => false,
    matters: () => [0, 1, 2],
  };

  // The first element is +1 or -1; noise lies on every element. The answer is the sign of the first.
  const latch = {
    kind: "values",
    range: [-1.5, 1.5],
    draw(random, { T, noise }) {
      const values = list(T, () => random.normal(0, noise));
      values[0] += random.integer(0, 2) ? 1 : -1;
      return { values, marks: [] };
    },
    inputs: ({ values }) => values.map((value) => [value]),
    target: ({ values }) => (values[0] > 0 ? 1 : 0),
    classes: ["−1", "+1"],
    answer: indexOfLargest,
    right: (y, target) => indexOfLargest(y) === target,
    fixed: () => false,
    matters: () => [0],
  };

  // Experiment 6a of 1997: E, then noise a, b, c, d with an X or Y in each of two windows, then B,
  // 100 to 110 symbols in all. Which two were they, in which order?
  const order1997 = {
    kind: "symbols",
    names: ["E", "B", "a", "b", "c", "d", "X", "Y"],
    draw(random, { windows }) {
      const steps = random.integer(100, 111);
      const symbols = list(steps, () => random.integer(2, 6));
      for (const [low, high] of windows) {
        symbols[random.integer(low, high + 1) - 1] = 6 + random.integer(0, 2);
      }
      symbols[0] = 0;
      symbols[steps - 1] = 1;
      return { symbols };
    },
    inputs: ({ symbols }) => symbols.map((symbol) => oneHot(symbol, 8)),
    target(sequence) {
      const [a, b, ...more] = this.matters(sequence).map((t) => sequence.symbols[t] - 6);
      return b === undefined || more.length ? null : 2 * a + b;
    },
    classes: ["X X", "X Y", "Y X", "Y Y"],
    answer: indexOfLargest,
    right: (y, target, { tolerance }) =>
      y.every((value, k) => Math.abs(value - (k === target ? 1 : 0)) < tolerance),
    choices: (sequence, t) => (t > 0 && t < sequence.symbols.length - 1 ? [2, 3, 4, 5, 6, 7] : []),
    mayMove: (sequence, t) => t > 0 && t < sequence.symbols.length - 1,
    matters: ({ symbols }) => symbols.flatMap((symbol, t) => (symbol >= 6 ? [t] : [])),
  };

  const TASKS = { adding, adding1997, threeBits, latch, order1997 };

  // The sequence of a seed, with what a person has changed: {values: {step: value}, marks,
  // symbols: {step: symbol}}.
  function sequence(name, own, seed, changes = {}) {
    const task = TASKS[name];
    const drawn = task.draw(generator(seed), own);
    const put = (into, found = {}) => {
      for (const [t, value] of Object.entries(found)) if (t in into) into[t] = value;
    };
    if (drawn.values) put(drawn.values, changes.values);
    if (drawn.symbols) put(drawn.symbols, changes.symbols);
    const steps = (drawn.values || drawn.symbols).length;
    const marks = changes.marks || [];
    const fits = (t) => Number.isInteger(t) && t >= 0 && t < steps;
    if (task.kind === "pair" && marks.length === 2 && marks.every(fits) && marks[0] !== marks[1]) {
      drawn.marks = marks;
    }
    return drawn;
  }

  return { TASKS, generator, sequence };
})();
