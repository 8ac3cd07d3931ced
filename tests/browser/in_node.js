// Runs what the page computes under node, for tests/test_explorer.py: reads {"scripts": [text, ...],
// "calls": [...]} from standard input and writes a list of results as JSON.

const fs = require("fs");
const vm = require("vm");

const { scripts, calls } = JSON.parse(fs.readFileSync(0, "utf8"));
const context = vm.createContext({ atob });
vm.runInContext(`${scripts.join("\n")}\nglobalThis.page = { Nets, Tasks };`, context);
const { Nets, Tasks } = context.page;

const ACTIONS = {
  // What a net {cell, weights (packed), reading} does on x (T rows), with a lesion if there is one
  forward({ net, x, lesion }) {
    const unpacked = { ...net, weights: Nets.unpack(net.weights) };
    return Nets.forward(lesion ? Nets.cut(unpacked, lesion) : unpacked, x);
  },
  // Sequences of some seeds, as the net sees them, with their right answers
  draw({ task, own, seeds, changes }) {
    return seeds.map((seed) => {
      const sequence = Tasks.sequence(task, own, seed, changes);
      const { inputs, matters } = Tasks.TASKS[task];
      return {
        ...sequence,
        inputs: inputs(sequence),
        matters: matters(sequence),
        target: Tasks.TASKS[task].target(sequence),
      };
    });
  },
  judge: ({ task, own, y, target }) => y.map((each, k) => Tasks.TASKS[task].right(each, target[k], own)),
  numbers({ seed, n }) {
    const random = Tasks.generator(seed);
    return {
      uniform: Array.from({ length: n }, () => random.uniform(-1, 1)),
      integer: Array.from({ length: n }, () => random.integer(3, 10)),
      normal: Array.from({ length: n }, () => random.normal(2, 0.5)),
    };
  },
  softmax: ({ y }) => Nets.softmax(y),
};

process.stdout.write(JSON.stringify(calls.map(({ action, ...rest }) => ACTIONS[action](rest))));
