"use strict";

// Watch a net: one sequence, what the net does on it step by step, and its answer.

const Watch = (() => {
  const { el, svg, segmented, select, fixed, signed, clamp, announce } = Dom;
  const { slug, joined } = Scene;
  const FRESH = 100; // sequences on which a net is scored

  // ---- State -------------------------------------------------------------------------------------

  let nets = null; // of the page's data
  let built = ""; // for which net the controls stand
  let parts = {}; // the elements that change
  let scene = null; // what is on the screen: net, sequence, steps, ...
  let drag = null;
  let playing = null;

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
    const { task } = scene;
    const { marks } = scene.sequence;
    if (!task.mayMark(scene.sequence, t) || marks[1 - k] === t) return;
    change({ marks: marks.map((mark, j) => (j === k ? t : mark)).join(","), at: t });
  }

  // A letter changes places with the one that stands where it goes.
  function moveSymbol(from, to) {
    const { task, changes } = scene;
    const { symbols } = scene.sequence;
    const may = Number.isInteger(to) && to !== from && task.mayMove(scene.sequence, to);
    if (!may || symbols[to] >= 6) return false;
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
    nets = pageData.nets;
    const { task, net, copy } = Scene.chosen(nets);
    const key = [task, net.name, copy.seed].join("|");
    if (built !== key) {
      stop();
      root.replaceChildren(...build());
      built = key;
    }
    update();
  }

  const copiesInWords = (net) =>
    `One of ${net.copies.length}: ${net.copies.filter((copy) => copy.words === "latches").length} latch`;

  function build() {
    const { tasks, task, nets: alike, net, copy } = Scene.chosen(nets);
    const words = Words.TASKS[task];
    const whole = { from: null, stage: null, cut: null, between: null };
    const fresh = { ...whole, net: null, set: null, marks: null, at: null };
    parts = {};
    const nameOf = (each) => words.nets[each.name] || each.name;
    const pickers = el(
      "div",
      { class: "pickers" },
      segmented(
        "Task",
        tasks.map((name) => [name, Words.TASKS[name].title]),
        task,
        (value) => Address.set({ ...fresh, task: value }),
      ),
      alike.length > 1
        ? segmented(
            "Net",
            alike.map((each) => [slug(each.name), nameOf(each)]),
            slug(net.name),
            (value) => Address.set({ ...whole, net: value }),
          )
        : null,
      net.copies.length > 1
        ? select(
            copiesInWords(net),
            net.copies.map((each) => [String(each.seed), `seed ${each.seed}: ${each.words}`]),
            String(copy.seed),
            (value) => Address.set({ from: value }),
          )
        : null,
    );
    const another = el("button", { type: "button", class: "main", id: "new", onclick: newSequence }, "New sequence");
    parts.answer = el("div", { class: "answer" });
    parts.score = el("p", { class: "score" });
    parts.figure = svg("svg", { class: "figure" });
    parts.readout = el("p", { class: "readout" });
    parts.hint = el(
      "p",
      { class: "quiet" },
      `${words.help} Keys: ← → go through the steps, ↑ ↓ change what is there.`,
    );
    parts.bench = el(
      "div",
      {
        class: "bench",
        tabindex: 0,
        role: "slider",
        "aria-label": "Step of the sequence",
        "aria-valuemin": 1,
        onkeydown: onKey,
        onpointerdown: onDown,
        onpointermove: onMove,
        onpointerup: onUp,
        onpointercancel: onUp,
        ontouchstart: (event) => event.target.closest(".handle") && event.preventDefault(), // no scrolling
      },
      parts.figure,
    );
    const left = el(
      "div",
      { class: "stage" },
      training(net, copy),
      el("div", { class: "card" }, parts.hint, parts.readout, parts.bench),
    );
    const right = el("div", { class: "side" }, sequenceCard(), lesionCard(net, copy), stepCard(), tryCard());
    return [
      pickers,
      el("p", { class: "question" }, words.question(net)),
      el("div", { class: "card band" }, parts.answer, el("div", { class: "under" }, parts.score, another)),
      el("div", { class: "columns" }, left, right),
      glossary(net),
      equations(net),
    ];
  }

  // How far the training is: two buttons, or a slider with the curve of the test error.
  function training(net, copy) {
    const last = copy.stages.length - 1;
    parts.figures = el("p", { class: "figures" });
    parts.record = Address.anchor("its record", { view: "runs", run: copy.run });
    if (last < 3) {
      parts.stages = segmented(
        "Training",
        copy.stages.map(([when], k) => [String(k), when]),
        String(last),
        (value) => change({ stage: Number(value) === last ? null : value }),
      );
      const changes = net.changes?.length
        ? el("p", { class: "quiet" }, `Changed from the paper's text (${net.name}): ${net.changes.join("; ")}.`)
        : null;
      return el("div", { class: "card training" }, parts.stages, parts.figures, changes);
    }
    parts.slider = el("input", {
      type: "range",
      id: "stage",
      min: 0,
      max: last,
      step: 1,
      oninput: (event) => {
        stop();
        change({ stage: Number(event.target.value) === last ? null : event.target.value });
      },
    });
    parts.play = el("button", { type: "button", onclick: play }, "▶ Play");
    parts.spark = el("div", { class: "spark" });
    return el(
      "div",
      { class: "card training" },
      el("div", { class: "slide" }, el("label", { for: "stage" }, "Training"), parts.slider, parts.play),
      parts.figures,
      parts.spark,
    );
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
    parts.seed = el("input", {
      type: "number",
      min: 0,
      step: 1,
      id: "seed",
      onchange: (event) => {
        change({ seed: event.target.value, set: null, marks: null, at: null });
        announceAnswer();
      },
    });
    parts.reset = el(
      "button",
      { type: "button", class: "small", onclick: () => change({ set: null, marks: null }) },
      "Undo changes",
    );
    return el(
      "div",
      { class: "card" },
      el("h2", {}, "The sequence"),
      el("label", { class: "editor" }, el("span", { class: "label" }, "Number of the sequence"), parts.seed),
      parts.editors,
      parts.reset,
    );
  }

  function lesionCard(net, copy) {
    const whole = { cell: net.cell, weights: Scene.weightsOf(copy, 0) };
    const count = Nets.units(whole);
    const one = count === 1;
    const old = net.cell === "blocks1997";
    parts.units = Array.from({ length: one ? 0 : count }, (_, k) =>
      el(
        "button",
        {
          type: "button",
          class: "unit",
          "aria-pressed": "false",
          "aria-label": `Cut ${old ? "cell" : "unit"} ${k + 1}`,
          onclick: () => toggleUnit(k),
        },
        String(k + 1),
      ),
    );
    parts.between = el("input", {
      type: "checkbox",
      id: "between",
      onchange: (event) => change({ between: event.target.checked ? "cut" : null }),
    });
    parts.heal = el(
      "button",
      { type: "button", class: "small", onclick: () => change({ cut: null, between: null }) },
      "Heal all",
    );
    const what = one
      ? "Cut the way from the unit's output back to it"
      : old
        ? "Cut the weights between hidden units"
        : "Cut the weights between units";
    return el(
      "div",
      { class: "card" },
      el("h2", {}, "Lesions"),
      one
        ? null
        : el(
            "p",
            { class: "quiet" },
            `Cut a ${old ? "memory cell" : "unit"}: nothing leads from it to others or to the answer.`,
          ),
      el("div", { class: count > 16 ? "units many" : "units" }, parts.units),
      el("label", { class: "check" }, parts.between, el("span", {}, what)),
      parts.heal,
    );
  }

  function toggleUnit(k) {
    const { lost } = scene;
    const next = lost.includes(k) ? lost.filter((each) => each !== k) : [...lost, k].sort((a, b) => a - b);
    change({ cut: next.map((each) => each + 1).join(",") });
  }

  function stepCard() {
    parts.stepTitle = el("h2", {}, "A step");
    parts.stepEdit = el("div", { class: "editors" });
    parts.stepNumbers = el("div", {
      class: "numbers",
      tabindex: 0,
      role: "region",
      "aria-label": "Numbers of the step",
    });
    return el("div", { class: "card" }, parts.stepTitle, parts.stepEdit, parts.stepNumbers);
  }

  // Views to begin with, as links: those whose net is here.
  function tryCard() {
    const whole = { stage: null, cut: null, between: null };
    const { task, nets: alike } = Scene.chosen(nets);
    const here = ([, { net }]) => !net || alike.some((each) => slug(each.name) === net);
    return el(
      "div",
      { class: "card" },
      el("h2", {}, "Try"),
      el(
        "ul",
        { class: "try" },
        [...Words.TASKS[task].try.filter(here), ["Everything as it was", {}]].map(([words, changes]) =>
          el("li", {}, Address.anchor(words, { ...whole, ...changes })),
        ),
      ),
    );
  }

  // What each row of the figure shows, in words.
  function glossary(net) {
    const names = ["x", ...Nets.CELLS[net.cell].rows.flatMap((row) => row.show), "y"].filter(
      (name) => name in Words.MEANS,
    );
    return el(
      "details",
      { class: "card" },
      el("summary", {}, "What the rows show"),
      el(
        "dl",
        { class: "letters" },
        names.map((name) => [el("dt", {}, name), el("dd", {}, Words.MEANS[name])]),
      ),
    );
  }

  const equations = (net) =>
    el(
      "details",
      { class: "card" },
      el("summary", {}, `The equations of this ${Nets.CELLS[net.cell].name}, as this page computes them`),
      el("pre", {}, Nets.CELLS[net.cell].step.toString().replace(/^ {4}/gm, "")),
    );

  // ---- Drawing anew ------------------------------------------------------------------------------

  function update() {
    scene = Scene.look(nets);
    const { copy, stage, lost, between } = scene;
    const [when, figures] = copy.stages[stage];
    parts.figures.replaceChildren(
      parts.slider ? el("strong", {}, when) : "",
      parts.slider && figures ? ": " : "",
      figures,
      figures ? " · " : "",
      parts.record,
    );
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
    parts.answer.replaceChildren(...Answer.draw(scene));
    drawEditors();
    Figure.draw(parts.figure, scene, parts.bench.clientWidth);
    drawStep();
    scoreSoon();
    parts.answer.dataset.y = JSON.stringify(scene.y); // in full, for whoever reads the page by a program
  }

  // The curve of the test error, with a dot where the slider stands.
  function drawSpark() {
    const { net, stage } = scene;
    const [x, y] = net.curve;
    const [width, height] = [Math.max(parts.spark.clientWidth, 200), 44];
    const colours = Dom.colours();
    const across = Chart.linear([0, x[x.length - 1]], [4, width - 4]);
    const up = Chart.log([Math.min(...y), Math.max(...y)], [height - 5, 5]);
    const here = x.indexOf(net.at[stage]);
    parts.spark.replaceChildren(
      svg(
        "svg",
        { width, height, role: "img", "aria-label": `${net.curve_name} over training` },
        svg("path", {
          d: Chart.path(x.map((value, k) => [across(value), up(y[k])])),
          fill: "none",
          stroke: colours.quiet,
        }),
        svg("circle", { cx: across(net.at[stage]), cy: up(y[here]), r: 5, fill: colours.blue }),
        svg("text", { x: width - 4, y: 12, class: "tick end" }, `${net.curve_name}, log scale`),
      ),
    );
  }

  function announceAnswer() {
    const boxes = [...parts.answer.querySelectorAll(".box")];
    announce(boxes.map((each) => [...each.children].map((child) => child.textContent).join(" ")).join("; "));
  }

  // How many of some fresh sequences the net answers rightly, in small portions so that nothing waits.
  let scoring = null;
  let scored = "";

  function scoreSoon() {
    const { net, copy, stage, lost, between, name, task, used } = scene;
    const key = JSON.stringify([name, net.name, copy.seed, stage, lost, between]);
    if (key === scored) return;
    scored = key;
    clearTimeout(scoring);
    let [right, done] = [0, 0];
    const words = (count, more) =>
      parts.score.replaceChildren(
        `Of ${FRESH} fresh sequences, drawn in this page, it answers `,
        el("strong", {}, `${count} right`),
        more,
      );
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
    const range = el("input", {
      type: "range",
      min: low,
      max: high,
      step: 0.01,
      value,
      "aria-label": label,
      id,
      oninput: (event) => onInput(Number(event.target.value)),
      onchange: announceAnswer,
    });
    const number = el("input", {
      type: "number",
      min: low,
      max: high,
      step: 0.01,
      value: value.toFixed(2),
      "aria-label": `${label}, as a number`,
      id: `${id}-number`,
      onchange: (event) => {
        if (event.target.value !== "") onInput(Number(event.target.value));
        announceAnswer();
      },
    });
    return el("div", { class: "editor" }, el("span", { class: "label" }, label), range, number);
  }

  function stepEditor(label, value, low, high, id, onInput) {
    return el(
      "label",
      { class: "editor" },
      el("span", { class: "label" }, label),
      el("input", {
        type: "number",
        min: low,
        max: high,
        step: 1,
        value,
        id,
        onchange: (event) => {
          onInput(Number(event.target.value));
          announceAnswer();
        },
      }),
    );
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
        return [
          valueEditor("First number", sequence.values[0], task.range, "value-0", (value) =>
            setValue(0, value),
          ),
        ];
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
            task.fixed(sequence, t)
              ? el("p", { class: "quiet" }, "A marked first number is 0 in this task.")
              : valueEditor(`${name}: value`, sequence.values[t], task.range, `value-${k}`, (value) =>
                  setValue(t, value),
                ),
          ];
        });
      }
      return task.matters(sequence).flatMap((t, k) =>
        [
          task.mayMove(sequence, t)
            ? stepEditor(`${k ? "Next" : "First"} letter: step`, t + 1, 2, T - 1, `place-${k}`, (step) => {
                if (!moveSymbol(t, step - 1)) update();
              })
            : "",
          symbolEditor(task.mayMove(sequence, t) ? "letter" : `Step ${t + 1}`, t, `symbol-${k}`),
        ].filter(Boolean),
      );
    });
  }

  function symbolEditor(label, t, id) {
    const { task, sequence } = scene;
    const choices = task.choices(sequence, t);
    if (!choices.length)
      return el("p", { class: "quiet" }, `${label}: ${task.names[sequence.symbols[t]]} stays here.`);
    return el(
      "label",
      { class: "editor" },
      el("span", { class: "label" }, label),
      el(
        "select",
        {
          id,
          onchange: (event) => {
            setSymbol(t, Number(event.target.value));
            announceAnswer();
          },
        },
        choices.map((symbol) =>
          el("option", { value: symbol, selected: symbol === sequence.symbols[t] }, task.names[symbol]),
        ),
      ),
    );
  }

  // ---- The numbers of a step ---------------------------------------------------------------------

  function drawStep() {
    const { at, T, sequence, task, net, steps } = scene;
    const t = at ?? T - 1;
    parts.bench.setAttribute("aria-valuemax", T);
    parts.bench.setAttribute("aria-valuenow", t + 1);
    parts.bench.setAttribute("aria-valuetext", Figure.stepInWords());
    parts.readout.textContent = Figure.stepInWords();
    parts.stepTitle.textContent = `Step ${t + 1} of ${T}${at === null ? ", the last" : ""}`;
    refill(parts.stepEdit, () => {
      if (sequence.symbols) return [symbolEditor("Symbol", t, "step-symbol")];
      return [
        task.fixed(sequence, t)
          ? el("p", { class: "quiet" }, "Here the number has to be 0.")
          : valueEditor("Number", sequence.values[t], task.range, "step-value", (value) =>
              setValue(t, value),
            ),
        sequence.marks.length && task.mayMark(sequence, t) && !sequence.marks.includes(t)
          ? el(
              "button",
              {
                type: "button",
                class: "small",
                id: "mark-here",
                onclick: () => moveMark(nearestMark(t), t),
              },
              "Move the nearer mark here",
            )
          : "",
      ].filter(Boolean);
    });
    const { rows } = Nets.CELLS[net.cell];
    const now = steps[t];
    const names = rows.flatMap((row) => row.show);
    const groups = [...new Set(names.map((name) => now[name].length))].map((n) =>
      names.filter((name) => now[name].length === n),
    );
    const wanted = task.classes
      ? task.classes.map((name, k) => `${name}: ${fixed(Scene.probability(scene, now.y)[k], 3)}`).join(" · ")
      : signed(now.y[0], 4);
    const unit = (n) => (net.cell !== "blocks1997" ? "unit" : n === scene.count ? "cell" : "block");
    parts.stepNumbers.replaceChildren(
      el("p", {}, `Answer here: ${wanted}`),
      ...groups.map((group) =>
        el(
          "table",
          {},
          el(
            "thead",
            {},
            el(
              "tr",
              {},
              el("th", { scope: "col" }, unit(now[group[0]].length)),
              group.map((name) => el("th", { scope: "col" }, name)),
            ),
          ),
          el(
            "tbody",
            {},
            now[group[0]].map((_, k) =>
              el(
                "tr",
                {},
                el("th", { scope: "row" }, String(k + 1)),
                group.map((name) => el("td", {}, fixed(now[name][k], 3))),
              ),
            ),
          ),
        ),
      ),
    );
  }

  function nearestMark(t) {
    const [a, b] = scene.sequence.marks.map((mark) => Math.abs(mark - t));
    return a <= b ? 0 : 1;
  }

  // ---- Pointer and keyboard ----------------------------------------------------------------------

  // Points at a step without building the figure anew.
  function pointAt(t) {
    if (t === scene.at) return;
    keepAddress({ at: t });
    scene.at = t;
    Figure.pointAt(t);
    drawStep();
  }

  function onDown(event) {
    const handle = event.target.closest(".handle");
    const { t } = Figure.under(event, parts.figure);
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
    const { t, value } = Figure.under(event, parts.figure);
    if (!drag) pointAt(t);
    else if (drag.value !== undefined) setValue(Number(drag.value), value);
    else if (drag.mark !== undefined) moveMark(Number(drag.mark), t);
    else if (t !== Number(drag.symbol) && moveSymbol(Number(drag.symbol), t)) {
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
    const to = {
      ArrowLeft: t - far,
      ArrowRight: t + far,
      Home: 0,
      End: T - 1,
      PageUp: t - 10,
      PageDown: t + 10,
    }[event.key];
    if (up && sequence.values && !task.fixed(sequence, t)) setValue(t, sequence.values[t] + up * 0.05 * far);
    else if (up && sequence.symbols) nextSymbol(t, up);
    else if (to !== undefined) pointAt(clamp(to, 0, T - 1));
    else return;
    if (up) announceAnswer();
    event.preventDefault();
  }

  return { show };
})();
