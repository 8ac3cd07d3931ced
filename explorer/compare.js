"use strict";

// The paper's tables against ours: training sequences until success, row by row, reading by reading.

const Compare = (() => {
  const { el, svg, select, short, thousands, announce } = Dom;
  const KINDS = {
    literal: ["ours, word for word", "blue"],
    changed: ["ours, with named changes", "orange"],
    "other net": ["ours, not the paper's net", "green"],
  };

  const LANE = 13; // between the lanes of a row, in pixels

  let data = null,
    root = null,
    parts = null;
  let visible = []; // points, in the order of the arrow keys

  const idOf = (point) => `${point.run}`;
  const experiments = () => [...new Set(data.compare.rows.map((row) => row.experiment))];
  const list = (name, every) => {
    const found = (Address.get(name) || "").split(",").filter((word) => every.includes(word));
    return found.length ? found : every;
  };

  function show(element, pageData) {
    data = pageData;
    if (root !== element) {
      root = element;
      root.replaceChildren(...build());
    }
    update();
  }

  // Check boxes; as long as none is chosen, everything is shown.
  function chips(legend, name, every, label) {
    const boxes = every.map((word) =>
      el("input", {
        type: "checkbox",
        value: word,
        onchange: () => {
          const on = boxes.filter((box) => box.checked).map((box) => box.value);
          Address.set({ [name]: on.join(",") });
        },
      }),
    );
    const all = el("button", { type: "button", onclick: () => Address.set({ [name]: null }) }, "All");
    const group = el(
      "fieldset",
      { class: "chips" },
      el("legend", {}, legend),
      el(
        "div",
        {},
        all,
        boxes.map((box, k) => el("label", {}, box, el("span", {}, label(every[k])))),
      ),
    );
    group.choose = (words) => {
      boxes.forEach((box) => {
        box.checked = words.length < every.length && words.includes(box.value);
      });
      all.setAttribute("aria-pressed", String(words.length === every.length));
    };
    return group;
  }

  function build() {
    const readings = [...new Set(data.compare.points.map((point) => point.reading))].sort();
    parts = {
      experiments: chips("Experiments", "experiments", experiments(), (word) => word),
      kinds: chips("How close to the text", "kinds", Object.keys(KINDS), (word) =>
        el("span", {}, el("i", { class: `dot ${KINDS[word][1]}` }), KINDS[word][0]),
      ),
      reading: select(
        "Reading",
        [["", "all readings"], ...readings.map((word) => [word, word])],
        "",
        (value) => Address.set({ reading: value || null }),
      ),
      summary: el("p", { class: "quiet" }),
      chart: el("div", { class: "chart card" }),
      detail: el("div", { class: "card detail" }),
      table: el("div", { class: "wide" }),
    };
    return [
      el(
        "p",
        { class: "question" },
        "How many training sequences did the paper's nets of 1997 need, and how many do ours?",
      ),
      el("div", { class: "pickers" }, parts.experiments, parts.kinds, parts.reading),
      parts.summary,
      el(
        "div",
        { class: "columns" },
        el("div", { class: "stage" }, parts.chart),
        el("div", { class: "side" }, parts.detail, legend()),
      ),
      el("details", { class: "card" }, el("summary", {}, "The same as a table"), parts.table),
    ];
  }

  const legend = () =>
    el(
      "details",
      { class: "card" },
      el("summary", {}, "What the letters of a reading change"),
      el(
        "dl",
        { class: "letters" },
        data.compare.changes.map(([letter, words, paper]) => [
          el("dt", {}, letter),
          el("dd", {}, words, el("span", { class: "quiet" }, ` (the paper: ${paper})`)),
        ]),
      ),
    );

  function update() {
    const chosen = list("experiments", experiments());
    const kinds = list("kinds", Object.keys(KINDS));
    const readings = data.compare.points.map((point) => point.reading);
    const reading = readings.includes(Address.get("reading")) ? Address.get("reading") : "";
    parts.experiments.choose(chosen);
    parts.kinds.choose(kinds);
    parts.reading.querySelector("select").value = reading;
    const rows = data.compare.rows
      .map((row, place) => ({ ...row, place }))
      .filter((row) => chosen.includes(row.experiment));
    visible = data.compare.points.filter(
      (point) =>
        rows.some((row) => row.place === point.row) &&
        kinds.includes(point.kind) &&
        (!reading || point.reading === reading),
    );
    const reached = rows.filter((row) =>
      visible.some((point) => point.row === row.place && point.solved),
    ).length;
    parts.summary.textContent =
      `${rows.length} rows of the paper, ${visible.length} runs of ours. In ${reached} of these rows as ` +
      "many trials as in the paper stop within twice its mean, or by the run's cap where that is lower. " +
      "Hollow: not all trials stop.";
    drawChart(rows);
    drawDetail();
    drawTable();
  }

  // ---- The chart ---------------------------------------------------------------------------------

  function drawChart(rows) {
    const width = Math.max(parts.chart.clientWidth - 24, 260);
    const narrow = width < 520;
    const left = narrow ? 12 : 180,
      gone = 70,
      right = 6,
      head = narrow ? 18 : 0;
    let top = 46;
    const numbers = [...rows.map((row) => row.paper), ...visible.map((point) => point.mean).filter(Boolean)];
    const range = [Math.min(...numbers, 10_000) * 0.8, Math.max(...numbers, 100_000) * 1.25];
    const across = Chart.log(range, [left + 8, width - right - gone]);
    const ownOf = (row) => visible.filter((point) => point.row === row.place);
    const placeOf = (point) => (point.mean === null ? width - right - 30 : across(point.mean));
    const lanes = rows.map((row) => inLanes(ownOf(row), placeOf));
    const heights = lanes.map((each) => head + Math.max(28, LANE * each.length + 10));
    const height = top + heights.reduce((sum, each) => sum + each, 0) + 26;
    const colours = Dom.colours();
    const picture = svg("svg", {
      width,
      height,
      viewBox: `0 0 ${width} ${height}`,
      role: "group",
      "aria-label":
        "Training sequences until success: the paper's mean and the means of our runs. " +
        "Arrow keys go from run to run.",
    });
    const middleOfAxis = (left + width - right - gone) / 2;
    picture.append(
      svg(
        "text",
        { x: middleOfAxis, y: 12, class: "tick middle strong" },
        narrow ? "sequences until success" : "training sequences until success, mean of the trials that stop",
      ),
    );
    for (const tick of across
      .ticks(narrow ? 4 : 12)
      .filter((each) => across(each) < width - right - gone - 20)) {
      picture.append(
        svg("text", { x: across(tick), y: top - 14, class: "tick middle" }, Chart.withThousands(tick)),
        svg("line", { x1: across(tick), x2: across(tick), y1: top - 6, y2: height - 20, class: "grid" }),
        svg("text", { x: across(tick), y: height - 4, class: "tick middle" }, Chart.withThousands(tick)),
      );
    }
    picture.append(svg("text", { x: width - right, y: top - 14, class: "tick end strong" }, "none stops"));
    const chosen = chosenPoint();
    rows.forEach((row, k) => {
      const middle = top + head + (heights[k] - head) / 2;
      const first = k === 0 || rows[k - 1].experiment !== row.experiment;
      if (k)
        picture.append(
          svg("line", { x1: 0, x2: width, y1: top, y2: top, class: first ? "grid strong" : "grid" }),
        );
      picture.append(
        svg(
          "text",
          narrow
            ? { x: left, y: top + 14, class: "tick" }
            : { x: left - 8, y: middle + 4, class: "tick end" },
          svg("tspan", { class: "strong" }, `${row.experiment}  `),
          row.words,
        ),
        svg("path", {
          d: `M${across(row.paper)} ${top + head + 3}V${top + heights[k] - 3}`,
          stroke: colours.ink,
          "stroke-width": 2,
        }),
        svg(
          "path",
          { d: `M${across(row.paper)} ${middle - 7}l6 7l-6 7l-6 -7z`, fill: colours.ink },
          svg("title", {}, `paper: ${thousands(row.paper)}`),
        ),
      );
      lanes[k].forEach((points, lane) =>
        points.forEach((point) => {
          const y = middle + (lane - (lanes[k].length - 1) / 2) * LANE;
          picture.append(dotOf(point, row, placeOf(point), y, colours, chosen));
        }),
      );
      top += heights[k];
    });
    picture.addEventListener("keydown", onKey);
    const focused = parts.chart.contains(document.activeElement);
    parts.chart.replaceChildren(picture, key(colours));
    if (focused) parts.chart.querySelector("[tabindex='0']")?.focus();
  }

  // Points in as few lanes, one below the other, as keep them apart.
  function inLanes(points, placeOf) {
    const found = [];
    for (const point of [...points].sort((a, b) => placeOf(a) - placeOf(b))) {
      const lane = found.find((each) => placeOf(point) - placeOf(each[each.length - 1]) > 2 * LANE);
      if (lane) lane.push(point);
      else found.push([point]);
    }
    return found;
  }

  function dotOf(point, row, x, y, colours, chosen) {
    const stopped = point.sequences.filter((n) => n !== null).length;
    const full = stopped === point.trials;
    const colour = colours[KINDS[point.kind][1]];
    const isChosen = chosen === point;
    return svg(
      "g",
      {
        class: isChosen ? "point chosen" : "point",
        role: "button",
        tabindex: (chosen || visible[0]) === point ? 0 : -1,
        "aria-label":
          `Experiment ${row.experiment} ${row.words}, reading ${point.reading}: ` +
          `${stopped} of ${point.trials} trials stop` +
          (point.mean ? `, mean ${thousands(point.mean)} sequences, paper ${thousands(row.paper)}` : ""),
        "aria-pressed": String(isChosen),
        onclick: () => choose(point, true),
        "data-point": idOf(point),
      },
      svg("circle", { cx: x, cy: y, r: 11, class: "reach" }),
      point.mean === null
        ? svg("path", { d: `M${x - 4} ${y - 4}l8 8m0 -8l-8 8`, stroke: colour, "stroke-width": 2.5 })
        : svg("circle", {
            cx: x,
            cy: y,
            r: 5.5,
            fill: full ? colour : colours.surface,
            stroke: colour,
            "stroke-width": 2.2,
          }),
    );
  }

  const key = () =>
    el(
      "p",
      { class: "key" },
      el("span", {}, "◆ the paper's mean"),
      Object.values(KINDS).map(([words, colour]) =>
        el("span", {}, el("i", { class: `dot ${colour}` }), words),
      ),
      el("span", {}, el("i", { class: "dot hollow" }), "not all trials stop"),
      el("span", {}, "✕ none stops"),
    );

  const chosenPoint = () => visible.find((point) => idOf(point) === Address.get("point")) || null;

  function choose(point, byPointer = false) {
    Address.set({ point: idOf(point) });
    if (byPointer && matchMedia("(max-width: 900px)").matches)
      parts.detail.scrollIntoView({ block: "start" });
    announce(parts.detail.querySelector("p")?.textContent || "");
  }

  function onKey(event) {
    const by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    const here = visible.findIndex((point) => idOf(point) === event.target.dataset?.point);
    if (here < 0) return;
    if (event.key === "Enter" || event.key === " ") choose(visible[here]);
    else if (by) choose(visible[(here + by + visible.length) % visible.length]);
    else return;
    event.preventDefault();
    parts.chart.querySelector("[tabindex='0']")?.focus();
  }

  // ---- A point -----------------------------------------------------------------------------------

  function drawDetail() {
    const point = chosenPoint();
    if (!point) {
      parts.detail.replaceChildren(
        el("h2", {}, "A run"),
        el(
          "p",
          { class: "quiet" },
          "Choose a point: its trials, the cap at which they were given up, the command that repeats them.",
        ),
      );
      return;
    }
    const row = data.compare.rows[point.row];
    const stopped = point.sequences.filter((n) => n !== null).sort((a, b) => a - b);
    const record = Address.anchor("Its curve and settings, among the runs", { view: "runs", run: point.run });
    parts.detail.replaceChildren(
      el("h2", {}, `Experiment ${row.experiment}${row.words ? `, ${row.words}` : ""}`),
      el(
        "p",
        {},
        el("i", { class: `dot ${KINDS[point.kind][1]}` }),
        `reading: ${point.reading} (${KINDS[point.kind][0].replace("ours, ", "")})`,
      ),
      el(
        "dl",
        { class: "facts" },
        fact(
          "paper, Table " + row.table,
          `${thousands(row.paper)} sequences; ${row.stop} of ${row.trials} trials`,
        ),
        fact(
          "ours, mean of those that stop",
          point.mean === null ? "none stops" : `${thousands(point.mean)} sequences`,
        ),
        fact(
          "trials that stop",
          `${stopped.length} of ${point.trials} by the cap of ${thousands(point.cap)}`,
        ),
        fact(
          point.bound < 2 * row.paper ? "of these by its cap" : "of these within twice the paper's mean",
          `${point.within} by ${thousands(point.bound)}`,
        ),
        fact(
          "wrong test sequences, trial by trial",
          `${point.wrong.map((n) => orDash(n)).join(", ")} of ${thousands(point.tests)}`,
        ),
        fact(
          "sequences, trial by trial",
          point.sequences.map((n) => (n === null ? "given up" : thousands(n))).join(", "),
        ),
      ),
      el("p", {}, "The command that repeats it:"),
      Dom.commandLine(point.command),
      el("p", {}, record),
    );
  }

  const orDash = (n) => (n === null ? "–" : thousands(n));
  const fact = (name, words) => [el("dt", {}, name), el("dd", {}, words)];

  function drawTable() {
    const head = ["experiment", "reading", "paper", "ours, mean", "stop", "cap"];
    parts.table.replaceChildren(
      el(
        "table",
        {},
        el(
          "thead",
          {},
          el(
            "tr",
            {},
            head.map((words) => el("th", { scope: "col" }, words)),
          ),
        ),
        el(
          "tbody",
          {},
          visible.map((point) => {
            const row = data.compare.rows[point.row];
            const stopped = point.sequences.filter((n) => n !== null).length;
            return el(
              "tr",
              {},
              el("th", { scope: "row" }, `${row.experiment} ${row.words}`),
              [
                point.reading,
                thousands(row.paper),
                orDash(point.mean),
                `${stopped} of ${point.trials}`,
                thousands(point.cap),
              ].map((words) => el("td", {}, words)),
            );
          }),
        ),
      ),
    );
  }

  return { show };
})();
