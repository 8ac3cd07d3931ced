"use strict";

// What is to be seen of a net: which net, on which sequence, with which lesions, and what it does. All of
// it follows from the address.

const Scene = (() => {
  const FIRST_SEED = 3; // of the sequence that is shown first: its marks are well seen

  const slug = (name) => name.toLowerCase().replace(/[^a-z0-9]+/g, "-");

  // "4:0.25,77:-1" as {4: 0.25, 77: -1}; what is not of this form is left out.
  const pairs = (text) =>
    Object.fromEntries(
      (text || "")
        .split(",")
        .filter(Boolean)
        .map((pair) => pair.split(":").map(Number))
        .filter(([t, value]) => Number.isInteger(t) && Number.isFinite(value)),
    );
  const numbers = (text) => (text || "").split(",").filter(Boolean).map(Number).filter(Number.isInteger);
  const joined = (found) =>
    Object.entries(found)
      .map(([t, value]) => `${t}:${value}`)
      .join(",");

  // The net and the stage of its training that the address names, of every net of the page.
  function chosen(every) {
    const tasks = [...new Set(every.map((net) => net.task))];
    const task = Address.word("task", tasks);
    const nets = every.filter((net) => net.task === task);
    const net = nets.find((each) => slug(each.name) === Address.get("net")) || nets[0];
    const copy = net.copies.find((each) => String(each.seed) === Address.get("from")) || firstCopy(net);
    const last = copy.stages.length - 1;
    const stage = Address.number("stage", last, 0, last);
    return { tasks, task, nets, net, copy, stage };
  }

  // Of several nets trained alike, the first that has learned its task.
  const firstCopy = (net) => net.copies.find((copy) => copy.words === "latches") || net.copies[0];

  const unpacked = new Map();

  // The weights of a stage; each is unpacked once.
  function weightsOf(copy, stage) {
    const packed = copy.stages[stage][2];
    if (!unpacked.has(packed)) unpacked.set(packed, Nets.unpack(packed));
    return unpacked.get(packed);
  }

  // What the address asks for, computed: the net, the sequence, what there is at each step, the answer.
  function look(every) {
    const now = chosen(every);
    const { net, copy, stage, task: name } = now;
    const task = Tasks.TASKS[name];
    const seed = Address.number("seed", FIRST_SEED, 0, 2 ** 31);
    const found = pairs(Address.get("set"));
    const marks = numbers(Address.get("marks"));
    const changes =
      task.kind === "symbols" ? { symbols: allowed(task, net, seed, found) } : { values: found, marks };
    const sequence = Tasks.sequence(name, net.own, seed, changes);
    if (sequence.marks && task.fixed(sequence, 0)) sequence.values[0] = 0;
    const whole = { cell: net.cell, weights: weightsOf(copy, stage), reading: net.reading };
    const count = Nets.units(whole);
    const cut = numbers(Address.get("cut")).map((k) => k - 1);
    const lost = [...new Set(cut)].filter((k) => k >= 0 && k < count);
    const between = Address.get("between") === "cut";
    const used = Nets.cut(whole, { units: lost, between });
    const steps = Nets.forward(used, task.inputs(sequence));
    const y = steps[steps.length - 1].y;
    const target = task.target(sequence);
    const T = steps.length;
    const at = Address.number("at", -1, 0, T - 1);
    return {
      ...now,
      task,
      name,
      seed,
      changes,
      sequence,
      used,
      steps,
      y,
      target,
      T,
      count,
      lost,
      between,
      at: at < 0 ? null : at,
      right: target !== null && task.right(y, target, net.own),
    };
  }

  // Of symbols in an address those that the task can have there.
  function allowed(task, net, seed, found) {
    const drawn = task.draw(Tasks.generator(seed), net.own);
    const symbols = Object.entries(found).filter(([t, symbol]) =>
      task.choices(drawn, Number(t)).includes(symbol),
    );
    return Object.fromEntries(symbols);
  }

  // Of classes: logistic outputs as they are, others by softmax.
  const probability = ({ net }, y) => (net.cell === "blocks1997" ? y : Nets.softmax(y));

  return { chosen, look, weightsOf, probability, slug, joined };
})();
