"use strict";

// Every record: a table that sorts and filters, and the curve, settings and origin of one of them.

const Runs = (() => {
  const { el, select, short } = Dom;
  const AT_ONCE = 100; // rows that are shown before one asks for more
  const COLUMNS = [
    ["experiment", "experiment", (run) => run.experiment],
    ["row", "study: row", (run) => run.label],
    ["seed", "seed", (run) => run.seed],
    ["outcome", "outcome", (run) => run.figure],
    ["date", "date", (run) => run.date || ""],
    ["seconds", "seconds", (run) => run.seconds],
  ];

  let data = null,
    root = null,
    parts = null,
    runs = [],
    all = false;

  // The records as the page's data pack them: see every_run in make_explorer.py.
  function unpack(packed) {
    return packed.records.map((record) => {
      const [place, id, differs, studies, outcome, [names, values], curves, origin, date, seconds] = record;
      const { name, common, doc } = packed.experiments[place];
      const [words, figure, solved] = outcome;
      const settings = { ...common, ...differs };
      const named = studies.map((k) => packed.study[k]);
      const run = {
        experiment: name,
        purpose: doc,
        id,
        settings,
        named, // [study, row, command], ...
        label: named.length ? `${named[0][0]}: ${named[0][1]}` : inWords(differs),
        seed: settings.seed ?? null,
        words,
        figure,
        solved,
        final: Object.fromEntries(packed.names[names].map((key, k) => [key, values[k]])),
        curves: curves && { x: packed.x[curves[0]], columns: curves[1] },
        origin: packed.provenance[origin],
        date,
        seconds,
      };
      run.text =
        ` ${[name, run.label, words, ...named.flat(), ...equalities(settings)].join(" ")} `.toLowerCase();
      return run;
    });
  }

  const given = (settings) => Object.entries(settings).filter(([, value]) => value !== null);
  const equalities = (settings) => given(settings).map(([name, value]) => `${name}=${value}`);
  const inWords = (differs) =>
    given(differs)
      .filter(([name]) => name !== "seed")
      .map(([name, value]) => `${name} ${value}`)
      .join(", ");

  function show(element, pageData) {
    data = pageData;
    if (root !== element) {
      root = element;
      runs = unpack(data.runs);
      root.replaceChildren(...build());
    }
    update();
  }

  function build() {
    const names = data.runs.experiments.map(({ name }) => name);
    parts = {
      text: el("input", {
        type: "search",
        id: "find",
        placeholder: "words or settings, such as ortho seed=3",
        oninput: (event) => Address.set({ find: event.target.value || null }),
      }),
      experiment: select(
        "Experiment",
        [["", "all experiments"], ...names.map((name) => [name, name])],
        "",
        (value) => Address.set({ experiment: value || null }),
      ),
      count: el("p", { class: "quiet", "aria-live": "polite" }),
      head: el("tr"),
      body: el("tbody"),
      more: el("button", {
        type: "button",
        class: "small",
        onclick: () => {
          all = true;
          update();
        },
      }),
      detail: el("div", { class: "card detail", tabindex: -1 }),
    };
    parts.table = el("table", { class: "records" }, el("thead", {}, parts.head), parts.body);
    return [
      el("p", { class: "question" }, "Every run behind the project's pages, failed ones too."),
      el(
        "div",
        { class: "pickers" },
        el("label", { class: "field grow" }, el("span", {}, "Find"), parts.text),
        parts.experiment,
      ),
      parts.count,
      el(
        "div",
        { class: "columns even" },
        el("div", { class: "stage card" }, parts.table, parts.more),
        el("div", { class: "side" }, parts.detail),
      ),
    ];
  }

  function filtered() {
    const words = (Address.get("find") || "").toLowerCase().split(/\s+/).filter(Boolean);
    const experiment = Address.get("experiment");
    return runs.filter(
      (run) =>
        (!experiment || run.experiment === experiment) &&
        words.every((word) => run.text.includes(word.includes("=") ? ` ${word} ` : word)),
    );
  }

  // Ascending or, after a minus sign, descending; what has no value comes last.
  function sorted(found) {
    const order = Address.get("sort") || "";
    const [name, sign] = order.startsWith("-") ? [order.slice(1), -1] : [order, 1];
    const column = COLUMNS.find(([each]) => each === name);
    if (!column) return found;
    const of = column[2];
    const compare = (a, b) =>
      typeof a === "number" && typeof b === "number"
        ? a - b
        : String(a).localeCompare(String(b), "en", { numeric: true });
    return [...found].sort((a, b) => {
      const [one, other] = [of(a), of(b)];
      if (one === null || other === null) return (one === null) - (other === null);
      return sign * compare(one, other);
    });
  }

  function update() {
    const found = sorted(filtered());
    const order = Address.get("sort") || "";
    if (document.activeElement !== parts.text) parts.text.value = Address.get("find") || "";
    parts.experiment.querySelector("select").value = Address.get("experiment") || "";
    parts.count.textContent = `${Dom.thousands(found.length)} of ${Dom.thousands(runs.length)} runs`;
    drawHead(order);
    const shown = all ? found : found.slice(0, AT_ONCE);
    const id = Address.get("run");
    const focused = parts.body.contains(document.activeElement) ? document.activeElement.dataset.run : null;
    parts.body.replaceChildren(...shown.map((run) => line(run, run.id === id)));
    if (focused) parts.body.querySelector(`[data-run="${focused}"]`)?.focus();
    parts.more.hidden = shown.length === found.length;
    parts.more.textContent = `Show all ${Dom.thousands(found.length)}`;
    drawDetail(runs.find((run) => run.id === id));
  }

  function drawHead(order) {
    const focused = parts.head.contains(document.activeElement)
      ? document.activeElement.dataset.column
      : null;
    parts.head.replaceChildren(
      ...COLUMNS.map(([name, words]) => {
        const direction = order === name ? "ascending" : order === `-${name}` ? "descending" : "none";
        const arrow = { ascending: " ▲", descending: " ▼", none: "" }[direction];
        return el(
          "th",
          { scope: "col", class: `column-${name}`, "aria-sort": direction },
          el(
            "button",
            {
              type: "button",
              "data-column": name,
              onclick: () => Address.set({ sort: direction === "ascending" ? `-${name}` : name }),
            },
            words + arrow,
          ),
        );
      }),
    );
    if (focused) parts.head.querySelector(`[data-column="${focused}"]`)?.focus();
  }

  function line(run, isChosen) {
    const open = () => {
      Address.set({ run: run.id });
      if (matchMedia("(max-width: 900px)").matches) parts.detail.scrollIntoView({ block: "start" });
    };
    const button = el(
      "button",
      { type: "button", class: "open", "data-run": run.id, "aria-pressed": String(isChosen) },
      run.label || "the default settings",
    );
    const mark = run.solved === null || run.solved === undefined ? "" : run.solved ? "✓ " : "✗ ";
    return el(
      "tr",
      { class: isChosen ? "chosen" : null, onclick: open },
      el(
        "td",
        { class: "column-experiment" },
        run.experiment.split(/(?<=_)/).flatMap((part) => [el("wbr"), part]),
      ),
      el("th", { scope: "row", class: "column-row" }, button),
      el("td", { class: "column-seed number" }, run.seed ?? ""),
      el("td", { class: "column-outcome" }, mark + run.words),
      el("td", { class: "column-date" }, run.date || ""),
      el("td", { class: "column-seconds number" }, run.seconds === null ? "" : short(run.seconds)),
    );
  }

  // ---- One run -----------------------------------------------------------------------------------

  function drawDetail(run) {
    if (!run) {
      parts.detail.replaceChildren(
        el("h2", {}, "A run"),
        el("p", { class: "quiet" }, "Choose a run: its curve, its settings, and where it comes from."),
      );
      return;
    }
    const value = (each) =>
      each === null
        ? "–"
        : Array.isArray(each)
          ? each.map((part) => (part === null ? "–" : short(part))).join(", ")
          : short(each);
    const facts = (values) =>
      el(
        "dl",
        { class: "facts" },
        Object.entries(values).map(([name, each]) => [el("dt", {}, name), el("dd", {}, value(each))]),
      );
    const command = run.named.length ? run.named[0][2] : run.origin.command;
    const holder = el("div", { class: "curves" });
    parts.detail.replaceChildren(
      el("h2", {}, `${run.experiment}${run.seed === null ? "" : `, seed ${run.seed}`}`),
      el("p", { class: "quiet" }, run.purpose),
      el("p", {}, run.words),
      holder,
      el("h3", {}, "Repeat it"),
      Dom.commandLine(command),
      run.named.length
        ? el(
            "p",
            { class: "quiet" },
            `Stands in: ${run.named.map((each) => `${each[0]} (${each[1]})`).join("; ")}. ` +
              "The command makes all seeds of this row.",
          )
        : "",
      el("h3", {}, "In the end"),
      facts(run.final),
      el(
        "details",
        { open: true },
        el("summary", {}, "Settings"),
        facts(Object.fromEntries(given(run.settings))),
      ),
      el(
        "details",
        {},
        el("summary", {}, "Where it comes from"),
        facts({ date: run.date, seconds: run.seconds, ...flat(run.origin) }),
      ),
    );
    if (run.curves) drawCurves(holder, run);
    if (!holder.firstChild) holder.append(el("p", { class: "quiet" }, "It keeps no curve."));
  }

  const flat = (origin) =>
    Object.fromEntries(
      Object.entries(origin).map(([name, each]) => [name, typeof each === "boolean" ? String(each) : each]),
    );

  function drawCurves(holder, run) {
    const { columns } = run.curves;
    const [xName, x] = run.curves.x;
    const names = Object.keys(columns).filter((name) => columns[name].some((value) => value !== null));
    if (!names.length) return;
    const wanted = Address.get("curve");
    const preferred =
      names.find((name) => name === wanted) || names.find((name) => name.startsWith("test_")) || names[0];
    const words = (name) => name.replaceAll("_", " ");
    const width = Math.max(parts.detail.clientWidth - 34, 240);
    holder.append(
      names.length > 1
        ? select(
            "Curve",
            names.map((name) => [name, words(name)]),
            preferred,
            (value) => Address.set({ curve: value }),
          )
        : "",
      Chart.curve({
        x,
        y: columns[preferred],
        xName: words(xName),
        yName: words(preferred),
        width,
        height: 230,
        title: `${words(preferred)} against ${words(xName)}`,
      }),
    );
  }

  return { show };
})();
