"use strict";

// Watch a net: one sequence, what the net does on it step by step, and its answer.

const Watch = (() => {
  const { el, svg, segmented, select, fixed, signed, short, shade, clamp, announce } = Dom;
  const FRESH = 100; // sequences on which a net is scored
  const FIRST_SEED = 3; // of the sequence that is shown first: its marks are well seen
  const UNIT_COLOURS = ["blue", "red", "green", "purple"];

  // ---- Words -------------------------------------------------------------------------------------

  const WORDS = {
    adding: {
      title: "Adding",
      question: (net) => `${net.own.T} numbers come in, one at a time. Two of them are marked. What is their sum?`,
      help: "Drag an orange dot up or down to change a marked number, its triangle sideways to move the mark.",
      try: [
        ["The LSTM before training", { net: "lstm", stage: 0 }],
        ["The LSTM with no weights between its units", { net: "lstm", between: "cut" }],
        ["The tanh RNN, trained just as long", { net: "rnn" }],
      ],
      nets: { lstm: "LSTM", rnn: "tanh RNN", lstm1997: "LSTM of 1997", irnn: "IRNN", gru: "GRU" },
    },
    threeBits: {
      title: "Three bits",
      question: (net) => `Three bits, then ${net.own.T - 4} steps of noise. At the question mark: which bits were they?`,
      help: "Click a bit to turn it over.",
      try: [
        ["The orthogonal start before training", { net: "orthogonal-start", stage: 0 }],
        ["The small random start after training", { net: "small-random-start" }],
        ["The first four units cut", { net: "orthogonal-start", cut: "1,2,3,4" }],
      ],
      nets: {},
    },
    latch: {
      title: "One sign",
      question: (net) => `The first number is near +1 or −1, then come ${net.own.T - 1} steps of noise. `
        + "Can one single unit keep the sign?",
      help: "Drag the orange dot, or any other number, up or down.",
      try: [
        ["The simple RNN: a state that is pulled to one of two ends", { net: "simple-rnn", from: null }],
        ["An LSTM that does not latch", { net: "lstm", from: 0 }],
        ["The chrono start before training", { net: "lstm-chrono-start", from: null, stage: 0 }],
      ],
      nets: {},
    },
    adding1997: {
      title: "Adding, 1997",
      question: () => "The paper's own net and algorithm. Two numbers are marked. What is 0.5 + (their sum) / 4?",
      help: "Drag an orange dot up or down to change a marked number, its triangle sideways to move the mark.",
      try: [
        ["Before training: the gates do not know the marks", { stage: 0 }],
        ["Without the third memory cell", { cut: 3 }],
        ["Without weights between hidden units", { between: "cut" }],
      ],
      nets: {},
    },
    order1997: {
      title: "Order, 1997",
      question: () => "The paper's own net and algorithm. Two letters, X or Y, hide among others. Which, in which order?",
      help: "Drag an orange letter to another step; click it to change X into Y.",
      try: [
        ["Before training", { stage: 0 }],
        ["Without the first memory cell", { cut: 1 }],
        ["Without weights between hidden units", { between: "cut" }],
      ],
      nets: {},
    },
  };

  const MEANS = {
    x: "What the net reads at a step. It sees one step at a time and never looks back: all that it knows of earlier ones is in its state.",
    c: "The cell state, the memory of an LSTM: at each step the old state times f, plus i times g.",
    i: "The input gate, between 0 and 1: how much of the candidate enters the cell state.",
    f: "The forget gate: how much of the old cell state stays. 1 keeps all of it.",
    o: "The output gate: how much of the cell state the rest of the net gets to see.",
    g: "The candidate: what would enter the state if the gate were open.",
    h: "The output of a unit: what the other units and the answer see of it; in a plain RNN also its only memory.",
    z: "The update gate: how much of the old state stays. 1 keeps all of it.",
    n: "The candidate: the new state that is offered.",
    r: "The reset gate: how much of the old state the candidate sees.",
    s: "The state of a memory cell, its memory: at each step the input gate times the candidate is added; nothing is forgotten.",
    y_in: "The input gates, one for each block of two cells, between 0 and 1: how much enters their states.",
    y_out: "The output gates, one for each block of two cells: how much of the states the rest of the net gets to see.",
    y_c: "What the other units and the answer see of a cell.",
    y: "What the net would say if the sequence ended at this step. It was trained on its answer at the end only.",
  };

  const slug = (name) => name.toLowerCase().replace(/[^a-z0-9]+/g, "-");

  // ---- State -------------------------------------------------------------------------------------

  let data = null; // the page's
  let built = ""; // for which net the controls stand
  let parts = {}; // the elements that change
  let scene = null; // what is on the screen: net, sequence, steps, ...
  let drag = null;
  let playing = null;

  const pairs = (text) => Object.fromEntries((text || "").split(",").filter(Boolean)
    .map((pair) => pair.split(":").map(Number)).filter(([t, value]) => Number.isInteger(t) && Number.isFinite(value)));
  const numbers = (text) => (text || "").split(",").filter(Boolean).map(Number).filter(Number.isInteger);
  const joined = (found) => Object.entries(found).map(([t, value]) => `${t}:${value}`).join(",");

  // The net, stage and lesions that the address names.
  function chosen() {
    const tasks = [...new Set(data.nets.map((net) => net.task))];
    const task = Address.word("task", tasks);
    const nets = data.nets.filter((net) => net.task === task);
    const net = nets[Math.max(nets.findIndex((each) => slug(each.name) === Address.get("net")), 0)];
    const copy = net.copies.find((each) => String(each.seed) === Address.get("from")) || firstCopy(net);
    const last = copy.stages.length - 1;
    const stage = Address.number("stage", last, 0, last);
    return { tasks, task, nets, net, copy, stage };
  }

  const copiesInWords = (net) => (
    `One of ${net.copies.length}: ${net.copies.filter((copy) => copy.words === "latches").length} latch`);

  // Of several nets trained alike, the first that has learned its task.
  const firstCopy = (net) => net.copies.find((copy) => copy.words === "latches") || net.copies[0];

  const unpacked = new Map();
  function weightsOf(copy, stage) {
    const packed = copy.stages[stage][2];
    if (!unpacked.has(packed)) unpacked.set(packed, Nets.unpack(packed));
    return unpacked.get(packed);
  }

  // Everything that is drawn, from the address.
  function look() {
    const now = chosen();
    const { net, copy, stage, task: name } = now;
    const task = Tasks.TASKS[name];
    const seed = Address.number("seed", FIRST_SEED, 0, 2 ** 31);
    const found = pairs(Address.get("set"));
    const marks = numbers(Address.get("marks"));
    const changes = task.kind === "symbols" ? { symbols: allowed(task, net, seed, found) } : { values: found, marks };
    const sequence = Tasks.sequence(name, net.own, seed, changes);
    if (sequence.marks && task.fixed(sequence, 0)) sequence.values[0] = 0;
    const whole = { cell: net.cell, weights: weightsOf(copy, stage), reading: net.reading };
    const count = Nets.units(whole);
    const lost = [...new Set(numbers(Address.get("cut")).map((k) => k - 1).filter((k) => k >= 0 && k < count))];
    const between = Address.get("between") === "cut";
    const used = Nets.cut(whole, { units: lost, between });
    const steps = Nets.forward(used, task.inputs(sequence));
    const y = steps[steps.length - 1].y;
    const target = task.target(sequence);
    const T = steps.length;
    const at = Address.number("at", -1, 0, T - 1);
    return {
      ...now, task, name, seed, changes, sequence, used, steps, y, target, T, count, lost, between,
      at: at < 0 ? null : at, right: target !== null && task.right(y, target, net.own),
    };
  }

  // Of symbols in an address those that the task can have there.
  function allowed(task, net, seed, found) {
    const drawn = task.draw(Tasks.generator(seed), net.own);
    const symbols = Object.entries(found).filter(([t, symbol]) => task.choices(drawn, Number(t)).includes(symbol));
    return Object.fromEntries(symbols);
  }

  // ---- Changes -----------------------------------------------------------------------------------

  const keepAddress = (values) => Address.set({ ...values, view: "watch" }, { quiet: true });

  function change(values) {
    keepAddress(values);
    update();
  }

  function setValue(t, value) {
    const [low, high] = scene.task.range;
    const rounded = Math.round(clamp(value, low, high) * 100) / 100;
    change({ set: joined({ ...scene.changes.values, [t]: rounded }), at: t });
  }

  function setSymbol(t, symbol) {
    change({ set: joined({ ...scene.changes.symbols, [t]: symbol }), at: t });
  }

  function moveMark(k, t) {
    const { sequence: { marks }, task } = scene;
    if (!task.mayMark(scene.sequence, t) || marks[1 - k] === t) return;
    change({ marks: marks.map((mark, j) => (j === k ? t : mark)).join(","), at: t });
  }

  // A letter changes places with the one that stands where it goes.
  function moveSymbol(from, to) {
    const { sequence: { symbols }, task, changes } = scene;
    if (!Number.isInteger(to) || !task.mayMove(scene.sequence, to) || symbols[to] >= 6 || from === to) return false;
    change({ set: joined({ ...changes.symbols, [to]: symbols[from], [from]: symbols[to] }), at: to });
    return true;
  }

  function nextSymbol(t, by = 1) {
    const { task, sequence } = scene;
    let choices = task.choices(sequence, t);
    if (sequence.symbols[t] >= 6) choices = choices.filter((symbol) => symbol >= 6);
    if (!choices.length) return;
    const place = choices.indexOf(sequence.symbols[t]);
    setSymbol(t, choices[(place + by + choices.length) % choices.length]);
  }

  function newSequence() {
    change({ seed: scene.seed + 1, set: null, marks: null, at: null });
    announceAnswer();
  }

  // ---- Building the controls ---------------------------------------------------------------------

  function show(root, pageData) {
    data = pageData;
    const { task, net, copy } = chosen();
    const key = [task, net.name, copy.seed].join("|");
    if (built !== key) {
      stop();
      root.replaceChildren(...build());
      built = key;
    }
    update();
  }

  function build() {
    const { tasks, task, nets, net, copy } = chosen();
    const words = WORDS[task];
    const fresh = { net: null, from: null, stage: null, cut: null, between: null, set: null, marks: null, at: null };
    parts = {};
    const nameOf = (each) => words.nets[each.name] || each.name;
    const pickers = el("div", { class: "pickers" },
      segmented("Task", tasks.map((name) => [name, WORDS[name].title]), task,
        (value) => Address.set({ ...fresh, task: value })),
      nets.length > 1 ? segmented("Net", nets.map((each) => [slug(each.name), nameOf(each)]), slug(net.name),
        (value) => Address.set({ net: value, from: null, stage: null, cut: null, between: null })) : null,
      net.copies.length > 1 ? select(copiesInWords(net), net.copies.map((each) => (
        [String(each.seed), `seed ${each.seed}: ${each.words}`])), String(copy.seed),
      (value) => Address.set({ from: value })) : null);
    parts.answer = el("div", { class: "answer" });
    parts.score = el("p", { class: "score" });
    parts.figure = svg("svg", { class: "figure" });
    parts.readout = el("p", { class: "readout" });
    parts.hint = el("p", { class: "quiet" }, `${words.help} Keys: ← → go through the steps, ↑ ↓ change what is there.`);
    parts.bench = el("div", {
      class: "bench", tabindex: 0, role: "slider", "aria-label": "Step of the sequence", "aria-valuemin": 1,
      onkeydown: onKey, onpointerdown: onDown, onpointermove: onMove, onpointerup: onUp, onpointercancel: onUp,
      ontouchstart: (event) => event.target.closest(".handle") && event.preventDefault(), // or the page would scroll
    }, parts.figure);
    const left = el("div", { class: "stage" }, training(net, copy), el("div", { class: "card" }, parts.hint, parts.readout, parts.bench));
    const right = el("div", { class: "side" }, sequenceCard(), lesionCard(net, copy), stepCard(), tryCard());
    return [
      pickers,
      el("p", { class: "question" }, words.question(net)),
      el("div", { class: "card band" }, parts.answer, parts.score),
      el("div", { class: "columns" }, left, right),
      glossary(net),
      equations(net),
    ];
  }

  // How far the training is: two buttons, or a slider with the curve of the test error.
  function training(net, copy) {
    const last = copy.stages.length - 1;
    parts.figures = el("p", { class: "figures" });
    const record = el("a", { href: Address.link({ view: "runs", run: copy.run }) }, "its record");
    record.addEventListener("click", (event) => {
      event.preventDefault();
      Address.set({ view: "runs", run: copy.run });
    });
    parts.record = record;
    if (last < 3) {
      parts.stages = segmented("Training", copy.stages.map(([when], k) => [String(k), when]), String(last),
        (value) => change({ stage: Number(value) === last ? null : value }));
      return el("div", { class: "card training" }, parts.stages, parts.figures);
    }
    parts.slider = el("input", {
      type: "range", id: "stage", min: 0, max: last, step: 1,
      oninput: (event) => {
        stop();
        change({ stage: Number(event.target.value) === last ? null : event.target.value });
      },
    });
    parts.play = el("button", { type: "button", onclick: play }, "▶ Play");
    parts.spark = el("div", { class: "spark" });
    return el("div", { class: "card training" },
      el("div", { class: "slide" }, el("label", { for: "stage" }, "Training"), parts.slider, parts.play),
      parts.figures, parts.spark);
  }

  function play() {
    if (playing) {
      stop();
      return;
    }
    const last = scene.copy.stages.length - 1;
    let stage = scene.stage === last ? 0 : scene.stage;
    const tick = () => {
      change({ stage: stage === last ? null : stage });
      if (stage === last) stop();
      stage += 1;
    };
    playing = setInterval(tick, 350);
    parts.play.textContent = "■ Stop";
    tick();
  }

  function stop() {
    clearInterval(playing);
    playing = null;
    if (parts.play) parts.play.textContent = "▶ Play";
  }

  function sequenceCard() {
    parts.editors = el("div", { class: "editors" });
    parts.seed = el("input", { type: "number", min: 0, step: 1, id: "seed", onchange: (event) => {
      change({ seed: event.target.value, set: null, marks: null, at: null });
      announceAnswer();
    } });
    parts.reset = el("button", { type: "button", class: "small", onclick: () => change({ set: null, marks: null }) }, "Undo changes");
    return el("div", { class: "card" }, el("h2", {}, "The sequence"),
      el("div", { class: "buttons" },
        el("button", { type: "button", class: "main", id: "new", onclick: newSequence }, "New sequence"), parts.reset),
      el("label", { class: "editor" }, el("span", { class: "label" }, "Number of the sequence"), parts.seed),
      parts.editors);
  }

  function lesionCard(net, copy) {
    const whole = { cell: net.cell, weights: weightsOf(copy, 0) };
    const count = Nets.units(whole);
    const one = count === 1, old = net.cell === "blocks1997";
    parts.units = Array.from({ length: one ? 0 : count }, (_, k) => el("button", {
      type: "button", class: "unit", "aria-pressed": "false", "aria-label": `Cut ${old ? "cell" : "unit"} ${k + 1}`,
      onclick: () => toggleUnit(k),
    }, String(k + 1)));
    parts.between = el("input", {
      type: "checkbox", id: "between",
      onchange: (event) => change({ between: event.target.checked ? "cut" : null }),
    });
    parts.heal = el("button", { type: "button", class: "small", onclick: () => change({ cut: null, between: null }) }, "Heal all");
    const what = one ? "Cut the way from the unit's output back to it"
      : old ? "Cut the weights between hidden units" : "Cut the weights between units";
    return el("div", { class: "card" }, el("h2", {}, "Lesions"),
      one ? null : el("p", { class: "quiet" }, `Cut a ${old ? "memory cell" : "unit"}: nothing leads from it to others or to the answer.`),
      el("div", { class: count > 16 ? "units many" : "units" }, parts.units),
      el("label", { class: "check" }, parts.between, el("span", {}, what)), parts.heal);
  }

  function toggleUnit(k) {
    const { lost } = scene;
    const next = lost.includes(k) ? lost.filter((each) => each !== k) : [...lost, k].sort((a, b) => a - b);
    change({ cut: next.map((each) => each + 1).join(",") });
  }

  function stepCard() {
    parts.stepTitle = el("h2", {}, "A step");
    parts.stepEdit = el("div", { class: "editors" });
    parts.stepNumbers = el("div", { class: "numbers", tabindex: 0, role: "region", "aria-label": "Numbers of the step" });
    return el("div", { class: "card" }, parts.stepTitle, parts.stepEdit, parts.stepNumbers);
  }

  // Views to begin with, as links.
  function tryCard() {
    const whole = { stage: null, cut: null, between: null };
    return el("div", { class: "card" }, el("h2", {}, "Try"), el("ul", { class: "try" },
      [...WORDS[chosen().task].try, ["Everything as it was", {}]].map(([words, changes]) => el("li", {}, el("a", {
        href: Address.link({ ...whole, ...changes }),
        onclick: (event) => {
          if (event.metaKey || event.ctrlKey || event.shiftKey) return;
          event.preventDefault();
          Address.set({ ...whole, ...changes });
        },
      }, words)))));
  }

  // What each row of the figure shows, in words.
  function glossary(net) {
    const names = ["x", ...Nets.CELLS[net.cell].rows.flatMap((row) => row.show), "y"].filter((name) => name in MEANS);
    return el("details", { class: "card" }, el("summary", {}, "What the rows show"),
      el("dl", { class: "letters" }, names.map((name) => [el("dt", {}, name), el("dd", {}, MEANS[name])])));
  }

  const equations = (net) => el("details", { class: "card" },
    el("summary", {}, `The equations of this ${Nets.CELLS[net.cell].name}, as this page computes them`),
    el("pre", {}, Nets.CELLS[net.cell].step.toString().replace(/^ {4}/gm, "")));

  // ---- Drawing anew ------------------------------------------------------------------------------

  function update() {
    scene = look();
    const { copy, stage, lost, between, changes } = scene;
    const [when, figures] = copy.stages[stage];
    parts.figures.replaceChildren(
      parts.slider ? el("strong", {}, when) : "", parts.slider && figures ? ": " : "", figures,
      figures ? " · " : "", parts.record);
    if (parts.slider) {
      parts.slider.value = stage;
      parts.slider.setAttribute("aria-valuetext", `${when}, ${figures}`);
      drawSpark();
    } else parts.stages.choose(String(stage));
    parts.units.forEach((button, k) => button.setAttribute("aria-pressed", String(lost.includes(k))));
    parts.between.checked = between;
    parts.heal.hidden = !between && !lost.length;
    parts.seed.value = scene.seed;
    parts.reset.hidden = !Address.get("set") && !Address.get("marks");
    drawAnswer();
    drawEditors();
    drawFigure();
    drawStep();
    scoreSoon();
    parts.answer.dataset.y = JSON.stringify(scene.y); // in full, for whoever reads the page by a program
  }

  // The curve of the test error, with a dot where the slider stands.
  function drawSpark() {
    const { net, stage } = scene;
    const [x, y] = net.curve;
    const width = Math.max(parts.spark.clientWidth, 200), height = 44;
    const colours = Dom.colours();
    const across = Chart.linear([0, x[x.length - 1]], [4, width - 4]);
    const up = Chart.log([Math.min(...y), Math.max(...y)], [height - 5, 5]);
    const here = x.indexOf(net.at[stage]);
    parts.spark.replaceChildren(svg("svg", { width, height, role: "img", "aria-label": `${net.curve_name} over training` },
      svg("path", { d: Chart.path(x.map((value, k) => [across(value), up(y[k])])), fill: "none", stroke: colours.quiet }),
      svg("circle", { cx: across(net.at[stage]), cy: up(y[here]), r: 5, fill: colours.blue }),
      svg("text", { x: width - 4, y: 12, class: "tick end" }, `${net.curve_name}, log scale`)));
  }

  // ---- The answer --------------------------------------------------------------------------------

  const box = (name, words, kind = "", more = null) => el("div", { class: `box ${kind}` },
    el("span", { class: "name" }, name), el("span", { class: "big" }, words), more && el("span", { class: "more" }, more));

  function drawAnswer() {
    const { task, target, y, right, sequence, net } = scene;
    const verdict = right ? "right" : "wrong";
    const sign = target === null ? "" : right ? " ✓" : " ✗";
    let boxes;
    if (task.classes) {
      const probabilities = probability(y);
      const said = task.answer(y);
      const saw = task.matters(sequence).map((t) => (sequence.symbols ? task.names[sequence.symbols[t]] : signed(sequence.values[t])));
      boxes = [
        box("it saw", saw.join(scene.name === "threeBits" ? " " : " … ") || "nothing"),
        box("right answer", target === null ? "none" : task.classes[target], "", target === null ? "the sequence is not of this task" : null),
        box("the net says", `${task.classes[said]}${sign}`, verdict,
          net.cell === "blocks1997" ? `output ${fixed(probabilities[said], 3)}; right is every output within ${net.own.tolerance}`
            : `with probability ${fixed(probabilities[said], 3)}`),
        bars(probabilities),
      ];
    } else {
      const [a, b] = task.matters(sequence).map((t) => sequence.values[t]);
      const sum = `${fixed(a)} + ${b < 0 ? `(${fixed(b)})` : fixed(b)}`;
      const quarter = task.answers[0] === 0;
      const off = Math.abs(y[0] - target);
      boxes = [
        box("marked", quarter ? `0.5 + (${sum}) / 4` : sum),
        box("right answer", quarter ? fixed(target, 3) : signed(target)),
        box("the net says", `${quarter ? fixed(y[0], 3) : signed(y[0])}${sign}`, verdict,
          `off by ${fixed(off, 3)}; right is less than ${net.own.tolerance}`),
        gauge(task.answers, target, y[0], right),
      ];
    }
    parts.answer.replaceChildren(...boxes);
  }

  // Of classes: logistic outputs as they are, others by softmax.
  const probability = (y) => (scene.net.cell === "blocks1997" ? y : Nets.softmax(y));

  function gauge([low, high], target, y, right) {
    const width = 230, height = 62, colours = Dom.colours();
    const place = Chart.linear([low, high], [12, width - 12]);
    const inside = clamp(y, low, high);
    return svg("svg", { class: "gauge", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `right ${fixed(target)}, net ${fixed(y)}` },
      svg("line", { x1: 12, x2: width - 12, y1: 34, y2: 34, stroke: colours.quiet }),
      [low, (low + high) / 2, high].map((tick) => svg("text", { x: place(tick), y: 56, class: "tick middle" }, fixed(tick, 1))),
      svg("path", { d: `M${place(target)} 30l-7 -12h14z`, fill: colours.orange }),
      svg("text", { x: clamp(place(target), 26, width - 26), y: 12, class: "tick middle" }, "right"),
      svg("circle", { cx: place(inside), cy: 34, r: 6, fill: right ? colours.green : colours.red }));
  }

  function bars(probabilities) {
    const { task, target } = scene;
    const n = probabilities.length, wide = 230 / n, height = 62, colours = Dom.colours();
    return svg("svg", { class: "gauge", viewBox: `0 0 230 ${height + 8}`, role: "img",
      "aria-label": probabilities.map((p, k) => `${task.classes[k]} ${fixed(p)}`).join(", ") },
    probabilities.map((p, k) => [
      svg("rect", { x: k * wide + 2, y: 6, width: wide - 4, height: height - 18, fill: colours.line }),
      svg("rect", { x: k * wide + 2, y: 6 + (height - 18) * (1 - p), width: wide - 4, height: (height - 18) * p,
        fill: k === target ? colours.green : colours.red }),
      svg("text", { x: (k + 0.5) * wide, y: height + 4, class: k === target ? "tick middle strong" : "tick middle" }, task.classes[k]),
    ]));
  }

  function announceAnswer() {
    const boxes = [...parts.answer.querySelectorAll(".box")];
    announce(boxes.map((each) => [...each.children].map((child) => child.textContent).join(" ")).join("; "));
  }

  // How many of some fresh sequences the net answers rightly, in small portions so that nothing waits.
  let scoring = null, scored = "";
  function scoreSoon() {
    const { net, copy, stage, lost, between, name, task, used } = scene;
    const key = JSON.stringify([name, net.name, copy.seed, stage, lost, between]);
    if (key === scored) return;
    scored = key;
    clearTimeout(scoring);
    let right = 0, done = 0;
    const words = (count, more) => parts.score.replaceChildren(`Of ${FRESH} fresh sequences, drawn in this page, it answers `,
      el("strong", {}, `${count} right`), more);
    words("…", "."); // as long as what comes, so that nothing moves
    const portion = () => {
      const until = performance.now() + 12;
      while (done < FRESH && performance.now() < until) {
        const fresh = Tasks.sequence(name, net.own, 1_000_000 + done);
        const steps = Nets.forward(used, task.inputs(fresh));
        right += task.right(steps[steps.length - 1].y, task.target(fresh), net.own);
        done += 1;
      }
      if (done < FRESH) {
        scoring = setTimeout(portion, 0);
        return;
      }
      const lesion = lost.length || between ? " with these lesions" : "";
      words(right, `${lesion}.`);
    };
    scoring = setTimeout(portion, 150);
  }

  // ---- Editors -----------------------------------------------------------------------------------

  // A number with a slider; while it is dragged it is not built anew.
  function valueEditor(label, value, [low, high], id, onInput) {
    const range = el("input", { type: "range", min: low, max: high, step: 0.01, value, "aria-label": label, id,
      oninput: (event) => onInput(Number(event.target.value)), onchange: announceAnswer });
    const number = el("input", { type: "number", min: low, max: high, step: 0.01, value: value.toFixed(2), "aria-label": `${label}, as a number`, id: `${id}-number`,
      onchange: (event) => {
        if (event.target.value !== "") onInput(Number(event.target.value));
        announceAnswer();
      } });
    return el("div", { class: "editor" }, el("span", { class: "label" }, label), range, number);
  }

  function stepEditor(label, value, low, high, id, onInput) {
    return el("label", { class: "editor" }, el("span", { class: "label" }, label), el("input", {
      type: "number", min: low, max: high, step: 1, value, id,
      onchange: (event) => {
        onInput(Number(event.target.value));
        announceAnswer();
      },
    }));
  }

  // Builds editors again and gives the focus back; one that is in use stays.
  function refill(holder, make) {
    const active = document.activeElement;
    const inside = holder.contains(active) ? active : null;
    const rows = make();
    if (inside && inside.type === "range") {
      const twins = rows.flatMap((row) => [...row.querySelectorAll("input")]);
      for (const twin of twins) {
        const old = twin.id && holder.querySelector(`#${twin.id}`);
        if (old && old !== inside) old.value = twin.value;
      }
      return;
    }
    holder.replaceChildren(...rows);
    if (inside && inside.id) holder.querySelector(`#${inside.id}`)?.focus();
  }

  function drawEditors() {
    const { task, sequence, T } = scene;
    refill(parts.editors, () => {
      if (task.kind === "values") {
        return [valueEditor("First number", sequence.values[0], task.range, "value-0", (value) => setValue(0, value))];
      }
      if (task.kind === "pair") {
        return task.matters(sequence).flatMap((t, k) => {
          const which = sequence.marks.indexOf(t);
          const name = k ? "Second mark" : "First mark";
          return [
            stepEditor(`${name}: step`, t + 1, 1, T, `mark-${k}`, (step) => {
              if (step >= 1 && step <= T) moveMark(which, step - 1);
              else update();
            }),
            task.fixed(sequence, t) ? el("p", { class: "quiet" }, "A marked first number is 0 in this task.")
              : valueEditor(`${name}: value`, sequence.values[t], task.range, `value-${k}`, (value) => setValue(t, value)),
          ];
        });
      }
      return task.matters(sequence).flatMap((t, k) => [
        task.mayMove(sequence, t) ? stepEditor(`${k ? "Next" : "First"} letter: step`, t + 1, 2, T - 1, `place-${k}`, (step) => {
          if (!moveSymbol(t, step - 1)) update();
        }) : "",
        symbolEditor(task.mayMove(sequence, t) ? "letter" : `Step ${t + 1}`, t, `symbol-${k}`)].filter(Boolean));
    });
  }

  function symbolEditor(label, t, id) {
    const { task, sequence } = scene;
    const choices = task.choices(sequence, t);
    if (!choices.length) return el("p", { class: "quiet" }, `${label}: ${task.names[sequence.symbols[t]]} stays here.`);
    return el("label", { class: "editor" }, el("span", { class: "label" }, label), el("select", {
      id, onchange: (event) => {
        setSymbol(t, Number(event.target.value));
        announceAnswer();
      },
    }, choices.map((symbol) => el("option", { value: symbol, selected: symbol === sequence.symbols[t] }, task.names[symbol]))));
  }

  // ---- The figure --------------------------------------------------------------------------------

  const LEFT = 40, RIGHT = 14, TITLE = 20, GAP = 12;

  // What stands where: rows from top to bottom, and the place of a step.
  function layout() {
    const { net, count, T } = scene;
    const width = Math.max(parts.bench.clientWidth, 280);
    const wide = (width - LEFT - RIGHT) / T;
    const rows = [{ kind: "input", height: scene.task.kind === "symbols" ? 76 : 118 }];
    const own = Nets.CELLS[net.cell].rows;
    (count === 1 ? together(own) : own).forEach((row, k) => {
      const n = scene.steps[0][row.show[0]].length;
      const lines = n <= 4;
      const height = lines ? (k ? 58 : 92) : count > 16 ? 3.4 * n : (k ? 6 : 10) * n;
      rows.push({ ...row, kind: lines ? "lines" : "heat", height, n });
    });
    rows.push({ kind: "answer", height: 96 });
    let top = 0;
    for (const row of rows) {
      row.top = top + TITLE;
      top = row.top + row.height + GAP;
    }
    return { width, wide, rows, height: top + 16, narrow: width < 460, x: (t) => LEFT + (t + 0.5) * wide };
  }

  // The rows of a net of one unit: what has the same range shares one.
  function together(own) {
    const found = new Map();
    for (const row of own) {
      const key = String(row.range);
      const before = found.get(key);
      found.set(key, before ? { ...before, show: [...before.show, ...row.show], title: `${before.title}, ${row.title}` } : row);
    }
    return [...found.values()];
  }

  function drawFigure() {
    const plan = layout();
    scene.plan = plan;
    const colours = Dom.colours();
    const { width, height, rows } = plan;
    parts.figure.setAttribute("viewBox", `0 0 ${width} ${height}`);
    parts.figure.setAttribute("width", width);
    parts.figure.setAttribute("height", height);
    const drawings = { input: drawInput, heat: drawHeat, lines: drawLines, answer: drawRunningAnswer };
    parts.cross = svg("g");
    parts.figure.replaceChildren(
      ...rows.map((row) => svg("g", {}, drawings[row.kind](row, plan, colours))),
      drawMarks(plan, colours), drawAxis(plan), parts.cross);
    drawCross();
  }

  const title = (row, words, ...more) => [svg("text", { x: LEFT, y: row.top - 7, class: "title" }, words), ...more];

  function drawInput(row, plan, colours) {
    return scene.task.kind === "symbols" ? drawSymbols(row, plan, colours) : drawValues(row, plan, colours);
  }

  // Where a value stands in the row of inputs.
  const upTo = (row) => Chart.linear(scene.task.range, [row.top + row.height - 6, row.top + 18]);

  function drawValues(row, plan, colours) {
    const { sequence: { values, marks }, task } = scene;
    const up = upTo(row);
    const matters = task.matters(scene.sequence);
    const broad = Math.max(plan.wide * 0.62, 1.2);
    const found = [title(row, marks.length ? "what it reads (orange: marked)" : "what it reads")];
    for (const tick of [Math.ceil(task.range[0]), 0, Math.floor(task.range[1])]) {
      found.push(svg("text", { x: LEFT - 6, y: up(tick) + 4, class: "tick end" }, signed(tick, 0)));
    }
    found.push(svg("line", { x1: LEFT, x2: plan.width - RIGHT, y1: up(0), y2: up(0), class: "grid" }));
    values.forEach((value, t) => {
      const strong = matters.includes(t);
      found.push(svg("rect", {
        x: plan.x(t) - (strong ? Math.max(broad, 4) : broad) / 2, width: strong ? Math.max(broad, 4) : broad,
        y: Math.min(up(0), up(value)), height: Math.max(Math.abs(up(value) - up(0)), 0.5),
        fill: strong ? colours.orange : colours.quiet, opacity: strong ? 1 : 0.55,
      }));
    });
    for (const t of matters) {
      if (!task.fixed(scene.sequence, t)) {
        found.push(svg("circle", { cx: plan.x(t), cy: up(values[t]), r: 8, class: "handle", fill: colours.orange, "data-value": t }));
      }
    }
    marks.forEach((t, k) => found.push(svg("path", {
      d: `M${plan.x(t)} ${row.top + 14}l-8 -13h16z`, class: "handle", fill: colours.orange, "data-mark": k,
    })));
    return found;
  }

  function drawSymbols(row, plan, colours) {
    const { sequence: { symbols }, task } = scene;
    const found = [title(row, plan.narrow ? "what it reads" : "what it reads (orange: what matters)")];
    const matters = task.matters(scene.sequence);
    const noise = task.names.map((_, k) => k).filter((k) => (scene.name === "order1997" ? k >= 2 && k < 6 : k > 2));
    const middle = row.top + row.height / 2 - 8;
    symbols.forEach((symbol, t) => {
      const x = plan.x(t);
      if (matters.includes(t)) {
        const half = Math.max(Math.min(plan.wide * 0.48, 14), 11);
        const place = scene.name === "threeBits" ? Math.max(x, LEFT + half + t * (2 * half + 2)) : x;
        found.push(svg("g", { class: "handle", "data-symbol": t },
          svg("rect", { x: place - half, y: middle - 15, width: 2 * half, height: 30, rx: 4, fill: colours.orange }),
          svg("text", { x: place, y: middle + 6, class: "letter" }, task.names[symbol]),
          svg("line", { x1: x, x2: place, y1: row.top + row.height - 4, y2: middle + 15, stroke: colours.orange })));
      } else if (noise.includes(symbol)) {
        const level = noise.indexOf(symbol) / (noise.length - 1);
        found.push(svg("circle", { cx: x, cy: row.top + row.height - 4 - 16 * level, r: Math.max(Math.min(plan.wide * 0.3, 3), 1.3), fill: colours.quiet }));
      } else {
        found.push(svg("text", { x, y: row.top + row.height - 4, class: "tick middle strong" }, task.names[symbol]));
      }
    });
    return found;
  }

  // The range of what is shown: as the row says, or as large as what is there.
  function rangeOf(row) {
    if (row.range) return row.range;
    const most = Math.max(...scene.steps.flatMap((step) => row.show.flatMap((name) => step[name].map(Math.abs))), 1e-9);
    const high = row.kind === "heat" ? most : Chart.roundUp(most);
    return [-high, high];
  }

  function drawHeat(row, plan, colours) {
    const { steps, T, lost } = scene;
    const [name] = row.show, range = rangeOf(row);
    const canvas = document.createElement("canvas");
    canvas.width = T;
    canvas.height = row.n;
    const context = canvas.getContext("2d");
    const pixels = context.createImageData(T, row.n);
    steps.forEach((step, t) => step[name].forEach((value, k) => {
      pixels.data.set([...shade(value, range, colours), 255], 4 * (k * T + t));
    }));
    context.putImageData(pixels, 0, 0);
    const tall = row.height / row.n;
    const words = plan.narrow ? row.title : `${row.title}, a line for each of ${row.n} units`;
    const found = [title(row, words, legend(row, plan, range, colours)),
      svg("image", { x: LEFT, y: row.top, width: plan.width - LEFT - RIGHT, height: row.height, href: canvas.toDataURL(),
        preserveAspectRatio: "none", style: "image-rendering: pixelated" }),
      svg("rect", { x: LEFT, y: row.top, width: plan.width - LEFT - RIGHT, height: row.height, class: "frame" })];
    const labels = row.n <= 16 && tall >= 8 ? row.n : 0;
    for (let k = 0; k < labels; k += 1) {
      found.push(svg("text", { x: LEFT - 6, y: row.top + (k + 0.5) * tall + 3.5, class: "tick end tiny" }, String(k + 1)));
    }
    for (const k of lost) {
      found.push(svg("line", { x1: LEFT, x2: plan.width - RIGHT, y1: row.top + (k + 0.5) * tall, y2: row.top + (k + 0.5) * tall, class: "lost" }));
    }
    return found;
  }

  // A strip of colours from low to high, at the right end of a row's title.
  function legend(row, plan, [low, high], colours) {
    const wide = 60, right = plan.width - RIGHT, y = row.top - 16;
    const label = (value) => (low < 0 ? signed(value, Number.isInteger(high) ? 0 : 2) : fixed(value, 0));
    if (plan.narrow) return [];
    const stops = Array.from({ length: 12 }, (_, k) => low + ((high - low) * (k + 0.5)) / 12);
    return [
      svg("text", { x: right - wide - 44, y: y + 8, class: "tick end" }, label(low)),
      stops.map((value, k) => svg("rect", { x: right - wide - 38 + (k * wide) / 12, y, width: wide / 12 + 0.5, height: 9,
        fill: `rgb(${shade(value, [low, high], colours).map(Math.round).join(",")})` })),
      svg("text", { x: right, y: y + 8, class: "tick end" }, label(high)),
    ];
  }

  function drawLines(row, plan, colours) {
    const { steps } = scene;
    const range = rangeOf(row);
    const up = Chart.linear(range, [row.top + row.height, row.top]);
    const series = row.show.flatMap((name) => Array.from({ length: row.n }, (_, k) => [name, k]));
    const found = [title(row, row.title)];
    for (const tick of range[0] < 0 ? [range[0], 0, range[1]] : range) {
      found.push(svg("line", { x1: LEFT, x2: plan.width - RIGHT, y1: up(tick), y2: up(tick), class: "grid" }),
        svg("text", { x: LEFT - 6, y: up(tick) + 4, class: "tick end" }, fixed(tick, Math.abs(tick) % 1 ? 2 : 0)));
    }
    series.forEach(([name, k], place) => {
      const colour = colours[UNIT_COLOURS[place]];
      const points = steps.map((step, t) => [plan.x(t), up(clamp(step[name][k], ...range))]);
      found.push(svg("path", { d: Chart.path(points), fill: "none", stroke: colour, "stroke-width": 2,
        "stroke-dasharray": place % 2 ? "6 3" : "", opacity: scene.lost.includes(k) && row.n === scene.count ? 0.3 : 1 }));
      if (series.length > 1) {
        found.push(svg("text", { x: plan.width - RIGHT - 15 * (series.length - place - 1), y: row.top - 7, class: "tick end strong",
          style: `fill: ${colour}` }, row.n > 1 ? String(k + 1) : name));
      }
    });
    return found;
  }

  // What the net would answer at each step, if the sequence ended there.
  function drawRunningAnswer(row, plan, colours) {
    const { steps, task, target, right, T } = scene;
    const range = task.classes ? [0, 1] : task.answers;
    const up = Chart.linear(range, [row.top + row.height, row.top]);
    const words = plan.narrow ? "if the sequence ended here"
      : task.classes ? "if the sequence ended here: how sure of the right answer (bold), of others (thin)"
        : "what it would say if the sequence ended here (dashed: the right answer)";
    const found = [title(row, words)];
    for (const tick of [range[0], (range[0] + range[1]) / 2, range[1]]) {
      found.push(svg("line", { x1: LEFT, x2: plan.width - RIGHT, y1: up(tick), y2: up(tick), class: "grid" }),
        svg("text", { x: LEFT - 6, y: up(tick) + 4, class: "tick end" }, fixed(tick, tick % 1 ? 1 : 0)));
    }
    const line = (values, attributes) => svg("path", { d: Chart.path(values.map((value, t) => [plan.x(t), up(clamp(value, ...range))])), fill: "none", ...attributes });
    const end = (value) => svg("circle", { cx: plan.x(T - 1), cy: up(clamp(value, ...range)), r: 6, fill: right ? colours.green : colours.red });
    if (!task.classes) {
      const y = steps.map((step) => step.y[0]);
      found.push(svg("line", { x1: LEFT, x2: plan.width - RIGHT, y1: up(target), y2: up(target), stroke: colours.orange, "stroke-width": 2, "stroke-dasharray": "7 4" }),
        line(y, { stroke: colours.blue, "stroke-width": 2 }), end(y[T - 1]));
      return found;
    }
    const p = steps.map((step) => probability(step.y));
    task.classes.forEach((_, k) => {
      if (k !== target) found.push(line(p.map((each) => each[k]), { stroke: colours.quiet, "stroke-width": 1, opacity: 0.7 }));
    });
    if (target !== null) {
      found.push(line(p.map((each) => each[target]), { stroke: colours.blue, "stroke-width": 2.5 }), end(p[T - 1][target]));
    }
    return found;
  }

  // Dashed lines through all rows where the sequence matters.
  function drawMarks(plan, colours) {
    const top = plan.rows[1].top, bottom = plan.height - 30;
    return svg("g", {}, scene.task.matters(scene.sequence).map((t) => svg("line", {
      x1: plan.x(t), x2: plan.x(t), y1: top - 4, y2: bottom, stroke: colours.orange, "stroke-dasharray": "3 4", "stroke-width": 1.5,
    })));
  }

  function drawAxis(plan) {
    const y = plan.height - 8;
    const ticks = Chart.ticks(1, scene.T, plan.width < 460 ? 4 : 10).filter((tick) => tick >= 1);
    return svg("g", {}, [1, ...ticks.filter((tick) => tick > 3)].map((step) => (
      svg("text", { x: plan.x(step - 1), y, class: "tick middle" }, String(step)))),
    svg("text", { x: LEFT - 6, y, class: "tick end" }, "step"));
  }

  // The step that is pointed at.
  function drawCross() {
    const { at, plan, T } = scene;
    parts.bench.setAttribute("aria-valuemax", T);
    parts.bench.setAttribute("aria-valuenow", (at ?? T - 1) + 1);
    parts.bench.setAttribute("aria-valuetext", stepInWords());
    parts.readout.textContent = stepInWords();
    const colours = Dom.colours();
    if (at === null) {
      parts.cross.replaceChildren();
      return;
    }
    const x = plan.x(at);
    const { sequence, task } = scene;
    const free = sequence.values && !task.fixed(sequence, at) && !task.matters(sequence).includes(at);
    parts.cross.replaceChildren(
      svg("line", { x1: x, x2: x, y1: plan.rows[0].top, y2: plan.height - 22, class: "cross" }),
      free ? svg("circle", { cx: x, cy: upTo(plan.rows[0])(sequence.values[at]), r: 6, class: "handle", fill: colours.surface, stroke: colours.ink, "data-value": at }) : "");
  }

  function stepInWords() {
    const { at, T, sequence, task, steps } = scene;
    const t = at ?? T - 1;
    const input = sequence.values ? signed(sequence.values[t]) : task.names[sequence.symbols[t]];
    const mark = task.matters(sequence).includes(t) ? (sequence.marks?.length ? ", marked" : ", it matters") : "";
    const y = steps[t].y;
    const says = task.classes ? task.classes[task.answer(y)] : signed(y[0]);
    return `step ${t + 1} of ${T}: input ${input}${mark}; answer here ${says}`;
  }

  // ---- The numbers of a step ---------------------------------------------------------------------

  function drawStep() {
    const { at, T, sequence, task, net, steps } = scene;
    const t = at ?? T - 1;
    parts.stepTitle.textContent = `Step ${t + 1} of ${T}${at === null ? ", the last" : ""}`;
    refill(parts.stepEdit, () => {
      if (sequence.symbols) return [symbolEditor("Symbol", t, "step-symbol")];
      return [task.fixed(sequence, t) ? el("p", { class: "quiet" }, "Here the number has to be 0.")
        : valueEditor("Number", sequence.values[t], task.range, "step-value", (value) => setValue(t, value)),
      sequence.marks.length && task.mayMark(sequence, t) && !sequence.marks.includes(t) ? el("button", {
        type: "button", class: "small", id: "mark-here", onclick: () => moveMark(nearestMark(t), t),
      }, "Move the nearer mark here") : ""].filter(Boolean);
    });
    const { rows } = Nets.CELLS[net.cell];
    const now = steps[t];
    const names = rows.flatMap((row) => row.show);
    const groups = [...new Set(names.map((name) => now[name].length))].map((n) => names.filter((name) => now[name].length === n));
    const wanted = task.classes ? task.classes.map((name, k) => `${name}: ${fixed(probability(now.y)[k], 3)}`).join(" · ") : signed(now.y[0], 4);
    const unit = (n) => (net.cell !== "blocks1997" ? "unit" : n === scene.count ? "cell" : "block");
    parts.stepNumbers.replaceChildren(
      el("p", {}, `Answer here: ${wanted}`),
      ...groups.map((group) => el("table", {},
        el("thead", {}, el("tr", {}, el("th", { scope: "col" }, unit(now[group[0]].length)), group.map((name) => el("th", { scope: "col" }, name)))),
        el("tbody", {}, now[group[0]].map((_, k) => el("tr", {}, el("th", { scope: "row" }, String(k + 1)),
          group.map((name) => el("td", {}, fixed(now[name][k], 3)))))))));
  }

  function nearestMark(t) {
    const [a, b] = scene.sequence.marks.map((mark) => Math.abs(mark - t));
    return a <= b ? 0 : 1;
  }

  // ---- Pointer and keyboard ----------------------------------------------------------------------

  function place(event) {
    const frame = parts.figure.getBoundingClientRect();
    const scale = scene.plan.width / frame.width;
    const t = Math.floor(((event.clientX - frame.left) * scale - LEFT) / scene.plan.wide);
    return { t: clamp(t, 0, scene.T - 1), y: (event.clientY - frame.top) * scale };
  }

  // Points at a step without building the figure anew.
  function pointAt(t) {
    if (t === scene.at) return;
    keepAddress({ at: t });
    scene.at = t;
    drawCross();
    drawStep();
  }

  function onDown(event) {
    const handle = event.target.closest(".handle");
    const { t } = place(event);
    if (!handle) {
      pointAt(t);
      return;
    }
    const { value, mark, symbol } = handle.dataset;
    drag = { value, mark, symbol, moved: false };
    parts.bench.setPointerCapture(event.pointerId);
    parts.bench.classList.add("dragging");
    event.preventDefault();
    parts.bench.focus({ preventScroll: true });
  }

  function onMove(event) {
    const { t, y } = place(event);
    if (!drag) {
      if (event.pointerType === "mouse") pointAt(t);
      return;
    }
    if (drag.value !== undefined) {
      const row = scene.plan.rows[0];
      const [low, high] = scene.task.range;
      const share = (row.top + row.height - 6 - y) / (row.height - 24);
      setValue(Number(drag.value), low + share * (high - low));
    } else if (drag.mark !== undefined) {
      moveMark(Number(drag.mark), t);
    } else if (t !== Number(drag.symbol) && moveSymbol(Number(drag.symbol), t)) {
      drag.symbol = t;
      drag.moved = true;
    }
  }

  function onUp() {
    if (!drag) return;
    if (drag.symbol !== undefined && !drag.moved) nextSymbol(Number(drag.symbol));
    drag = null;
    parts.bench.classList.remove("dragging");
    announceAnswer();
  }

  function onKey(event) {
    const { at, T, sequence, task } = scene;
    const t = at ?? T - 1;
    const far = event.shiftKey ? 10 : 1;
    const up = { ArrowUp: 1, ArrowDown: -1 }[event.key];
    const to = { ArrowLeft: t - far, ArrowRight: t + far, Home: 0, End: T - 1, PageUp: t - 10, PageDown: t + 10 }[event.key];
    if (up && sequence.values && !task.fixed(sequence, t)) setValue(t, sequence.values[t] + up * 0.05 * far);
    else if (up && sequence.symbols) nextSymbol(t, up);
    else if (to !== undefined) pointAt(clamp(to, 0, T - 1));
    else return;
    if (up) announceAnswer();
    event.preventDefault();
  }

  return { show };
})();
