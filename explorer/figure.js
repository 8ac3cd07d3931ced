"use strict";

// The figure of a scene: what the net reads, its states and gates, and what it would answer, step by step
// and one below the other.

const Figure = (() => {
  const { svg, fixed, signed, shades, clamp } = Dom;
  const [LEFT, RIGHT, TITLE, GAP] = [40, 14, 20, 12]; // margins, in pixels
  const UNIT_COLOURS = ["blue", "red", "green", "purple"];

  let scene = null; // what is drawn, see Scene.look
  let plan = null; // where it stands
  let cross = null; // the element of the step that is pointed at

  // What stands where: rows from top to bottom, and the place of a step.
  function layout(width) {
    const { net, count, T } = scene;
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
      found.set(
        key,
        before
          ? { ...before, show: [...before.show, ...row.show], title: `${before.title}, ${row.title}` }
          : row,
      );
    }
    return [...found.values()];
  }

  // Draws a scene into an SVG element of a width.
  function draw(picture, sceneNow, width) {
    scene = sceneNow;
    plan = layout(Math.max(width, 280));
    const colours = Dom.colours();
    const { height, rows } = plan;
    picture.setAttribute("viewBox", `0 0 ${plan.width} ${height}`);
    picture.setAttribute("width", plan.width);
    picture.setAttribute("height", height);
    const drawings = { input: drawInput, heat: drawHeat, lines: drawLines, answer: drawRunningAnswer };
    cross = svg("g");
    picture.replaceChildren(
      ...rows.map((row) => svg("g", {}, drawings[row.kind](row, colours))),
      drawMarks(colours),
      drawAxis(),
      cross,
    );
    pointAt(scene.at);
  }

  const title = (row, words, ...more) => [
    svg("text", { x: LEFT, y: row.top - 7, class: "title" }, words),
    ...more,
  ];

  function drawInput(row, colours) {
    return scene.task.kind === "symbols" ? drawSymbols(row, colours) : drawValues(row, colours);
  }

  // Where a value stands in the row of inputs.
  const upTo = (row) => Chart.linear(scene.task.range, [row.top + row.height - 6, row.top + 18]);

  function drawValues(row, colours) {
    const { task } = scene;
    const { values, marks } = scene.sequence;
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
      found.push(
        svg("rect", {
          x: plan.x(t) - (strong ? Math.max(broad, 4) : broad) / 2,
          width: strong ? Math.max(broad, 4) : broad,
          y: Math.min(up(0), up(value)),
          height: Math.max(Math.abs(up(value) - up(0)), 0.5),
          fill: strong ? colours.orange : colours.quiet,
          opacity: strong ? 1 : 0.55,
        }),
      );
    });
    for (const t of matters) {
      if (!task.fixed(scene.sequence, t)) {
        found.push(
          svg("circle", {
            cx: plan.x(t),
            cy: up(values[t]),
            r: 8,
            class: "handle",
            fill: colours.orange,
            "data-value": t,
          }),
        );
      }
    }
    marks.forEach((t, k) =>
      found.push(
        svg("path", {
          d: `M${plan.x(t)} ${row.top + 14}l-8 -13h16z`,
          class: "handle",
          fill: colours.orange,
          "data-mark": k,
        }),
      ),
    );
    return found;
  }

  function drawSymbols(row, colours) {
    const { task } = scene;
    const { symbols } = scene.sequence;
    const found = [title(row, plan.narrow ? "what it reads" : "what it reads (orange: what matters)")];
    const matters = task.matters(scene.sequence);
    const noise = task.names
      .map((_, k) => k)
      .filter((k) => (scene.name === "order1997" ? k >= 2 && k < 6 : k > 2));
    const middle = row.top + row.height / 2 - 8;
    symbols.forEach((symbol, t) => {
      const x = plan.x(t);
      if (matters.includes(t)) {
        const half = Math.max(Math.min(plan.wide * 0.48, 14), 11);
        const place = scene.name === "threeBits" ? Math.max(x, LEFT + half + t * (2 * half + 2)) : x;
        found.push(
          svg(
            "g",
            { class: "handle", "data-symbol": t },
            svg("rect", {
              x: place - half,
              y: middle - 15,
              width: 2 * half,
              height: 30,
              rx: 4,
              fill: colours.orange,
            }),
            svg("text", { x: place, y: middle + 6, class: "letter" }, task.names[symbol]),
            svg("line", {
              x1: x,
              x2: place,
              y1: row.top + row.height - 4,
              y2: middle + 15,
              stroke: colours.orange,
            }),
          ),
        );
      } else if (noise.includes(symbol)) {
        const level = noise.indexOf(symbol) / (noise.length - 1);
        found.push(
          svg("circle", {
            cx: x,
            cy: row.top + row.height - 4 - 16 * level,
            r: Math.max(Math.min(plan.wide * 0.3, 3), 1.3),
            fill: colours.quiet,
          }),
        );
      } else {
        found.push(
          svg("text", { x, y: row.top + row.height - 4, class: "tick middle strong" }, task.names[symbol]),
        );
      }
    });
    return found;
  }

  // The range of what is shown: as the row says, or as large as what is there.
  function rangeOf(row) {
    if (row.range) return row.range;
    const most = Math.max(
      ...scene.steps.flatMap((step) => row.show.flatMap((name) => step[name].map(Math.abs))),
      1e-9,
    );
    const high = row.kind === "heat" ? most : Chart.roundUp(most);
    return [-high, high];
  }

  // A row of colours for each unit.
  function drawHeat(row, colours) {
    const { steps, T, lost } = scene;
    const [name] = row.show;
    const range = rangeOf(row);
    const canvas = document.createElement("canvas");
    canvas.width = T;
    canvas.height = row.n;
    const context = canvas.getContext("2d");
    const pixels = context.createImageData(T, row.n);
    const shadeOf = shades(range, colours);
    steps.forEach((step, t) =>
      step[name].forEach((value, k) => {
        pixels.data.set([...shadeOf(value), 255], 4 * (k * T + t));
      }),
    );
    context.putImageData(pixels, 0, 0);
    const tall = row.height / row.n;
    const words = plan.narrow ? row.title : `${row.title}, a line for each of ${row.n} units`;
    const found = [
      title(row, words, legend(row, range, colours)),
      svg("image", {
        x: LEFT,
        y: row.top,
        width: plan.width - LEFT - RIGHT,
        height: row.height,
        href: canvas.toDataURL(),
        preserveAspectRatio: "none",
        style: "image-rendering: pixelated",
      }),
      svg("rect", {
        x: LEFT,
        y: row.top,
        width: plan.width - LEFT - RIGHT,
        height: row.height,
        class: "frame",
      }),
    ];
    const labels = row.n <= 16 && tall >= 8 ? row.n : 0;
    for (let k = 0; k < labels; k += 1) {
      found.push(
        svg(
          "text",
          { x: LEFT - 6, y: row.top + (k + 0.5) * tall + 3.5, class: "tick end tiny" },
          String(k + 1),
        ),
      );
    }
    for (const k of lost) {
      found.push(
        svg("line", {
          x1: LEFT,
          x2: plan.width - RIGHT,
          y1: row.top + (k + 0.5) * tall,
          y2: row.top + (k + 0.5) * tall,
          class: "lost",
        }),
      );
    }
    return found;
  }

  // A strip of colours from low to high, at the right end of a row's title.
  function legend(row, [low, high], colours) {
    const [wide, right, y] = [60, plan.width - RIGHT, row.top - 16];
    const label = (value) => (low < 0 ? signed(value, Number.isInteger(high) ? 0 : 2) : fixed(value, 0));
    if (plan.narrow) return [];
    const shadeOf = shades([low, high], colours);
    const stops = Array.from({ length: 12 }, (_, k) => low + ((high - low) * (k + 0.5)) / 12);
    return [
      svg("text", { x: right - wide - 44, y: y + 8, class: "tick end" }, label(low)),
      stops.map((value, k) =>
        svg("rect", {
          x: right - wide - 38 + (k * wide) / 12,
          y,
          width: wide / 12 + 0.5,
          height: 9,
          fill: `rgb(${shadeOf(value).map(Math.round).join(",")})`,
        }),
      ),
      svg("text", { x: right, y: y + 8, class: "tick end" }, label(high)),
    ];
  }

  // A line for each unit.
  function drawLines(row, colours) {
    const { steps } = scene;
    const range = rangeOf(row);
    const up = Chart.linear(range, [row.top + row.height, row.top]);
    const series = row.show.flatMap((name) => Array.from({ length: row.n }, (_, k) => [name, k]));
    const found = [title(row, row.title)];
    for (const tick of range[0] < 0 ? [range[0], 0, range[1]] : range) {
      found.push(
        svg("line", { x1: LEFT, x2: plan.width - RIGHT, y1: up(tick), y2: up(tick), class: "grid" }),
        svg(
          "text",
          { x: LEFT - 6, y: up(tick) + 4, class: "tick end" },
          fixed(tick, Math.abs(tick) % 1 ? 2 : 0),
        ),
      );
    }
    series.forEach(([name, k], place) => {
      const colour = colours[UNIT_COLOURS[place]];
      const points = steps.map((step, t) => [plan.x(t), up(clamp(step[name][k], ...range))]);
      found.push(
        svg("path", {
          d: Chart.path(points),
          fill: "none",
          stroke: colour,
          "stroke-width": 2,
          "stroke-dasharray": place % 2 ? "6 3" : "",
          opacity: scene.lost.includes(k) && row.n === scene.count ? 0.3 : 1,
        }),
      );
      if (series.length > 1) {
        found.push(
          svg(
            "text",
            {
              x: plan.width - RIGHT - 15 * (series.length - place - 1),
              y: row.top - 7,
              class: "tick end strong",
              style: `fill: ${colour}`,
            },
            row.n > 1 ? String(k + 1) : name,
          ),
        );
      }
    });
    return found;
  }

  // What the net would answer at each step, if the sequence ended there.
  function drawRunningAnswer(row, colours) {
    const { steps, task, target, right, T } = scene;
    const range = task.classes ? [0, 1] : task.answers;
    const up = Chart.linear(range, [row.top + row.height, row.top]);
    const words = plan.narrow
      ? "if the sequence ended here"
      : task.classes
        ? "if the sequence ended here: how sure of the right answer (bold), of others (thin)"
        : "what it would say if the sequence ended here (dashed: the right answer)";
    const found = [title(row, words)];
    for (const tick of [range[0], (range[0] + range[1]) / 2, range[1]]) {
      found.push(
        svg("line", { x1: LEFT, x2: plan.width - RIGHT, y1: up(tick), y2: up(tick), class: "grid" }),
        svg("text", { x: LEFT - 6, y: up(tick) + 4, class: "tick end" }, fixed(tick, tick % 1 ? 1 : 0)),
      );
    }
    const line = (values, attributes) =>
      svg("path", {
        d: Chart.path(values.map((value, t) => [plan.x(t), up(clamp(value, ...range))])),
        fill: "none",
        ...attributes,
      });
    const end = (value) =>
      svg("circle", {
        cx: plan.x(T - 1),
        cy: up(clamp(value, ...range)),
        r: 6,
        fill: right ? colours.green : colours.red,
      });
    if (!task.classes) {
      const y = steps.map((step) => step.y[0]);
      found.push(
        svg("line", {
          x1: LEFT,
          x2: plan.width - RIGHT,
          y1: up(target),
          y2: up(target),
          stroke: colours.orange,
          "stroke-width": 2,
          "stroke-dasharray": "7 4",
        }),
        line(y, { stroke: colours.blue, "stroke-width": 2 }),
        end(y[T - 1]),
      );
      return found;
    }
    const p = steps.map((step) => Scene.probability(scene, step.y));
    task.classes.forEach((_, k) => {
      if (k !== target)
        found.push(
          line(
            p.map((each) => each[k]),
            { stroke: colours.quiet, "stroke-width": 1, opacity: 0.7 },
          ),
        );
    });
    if (target !== null) {
      found.push(
        line(
          p.map((each) => each[target]),
          { stroke: colours.blue, "stroke-width": 2.5 },
        ),
        end(p[T - 1][target]),
      );
    }
    return found;
  }

  // Dashed lines through all rows where the sequence matters.
  function drawMarks(colours) {
    const [top, bottom] = [plan.rows[1].top, plan.height - 30];
    return svg(
      "g",
      {},
      scene.task.matters(scene.sequence).map((t) =>
        svg("line", {
          x1: plan.x(t),
          x2: plan.x(t),
          y1: top - 4,
          y2: bottom,
          stroke: colours.orange,
          "stroke-dasharray": "3 4",
          "stroke-width": 1.5,
        }),
      ),
    );
  }

  function drawAxis() {
    const y = plan.height - 8;
    const ticks = Chart.ticks(1, scene.T, plan.narrow ? 4 : 10).filter((tick) => tick >= 1);
    return svg(
      "g",
      {},
      [1, ...ticks.filter((tick) => tick > 3)].map((step) =>
        svg("text", { x: plan.x(step - 1), y, class: "tick middle" }, String(step)),
      ),
      svg("text", { x: LEFT - 6, y, class: "tick end" }, "step"),
    );
  }

  // Marks the step that is pointed at, if there is one; a number that may be changed gets a handle.
  function pointAt(at) {
    const colours = Dom.colours();
    if (at === null) {
      cross.replaceChildren();
      return;
    }
    const x = plan.x(at);
    const { sequence, task } = scene;
    const free = sequence.values && !task.fixed(sequence, at) && !task.matters(sequence).includes(at);
    cross.replaceChildren(
      svg("line", { x1: x, x2: x, y1: plan.rows[0].top, y2: plan.height - 22, class: "cross" }),
      free
        ? svg("circle", {
            cx: x,
            cy: upTo(plan.rows[0])(sequence.values[at]),
            r: 6,
            class: "handle",
            fill: colours.surface,
            stroke: colours.ink,
            "data-value": at,
          })
        : "",
    );
  }

  // The step that is pointed at, or the last one, in words.
  function stepInWords() {
    const { at, T, sequence, task, steps } = scene;
    const t = at ?? T - 1;
    const input = sequence.values ? signed(sequence.values[t]) : task.names[sequence.symbols[t]];
    const mark = task.matters(sequence).includes(t)
      ? sequence.marks?.length
        ? ", marked"
        : ", it matters"
      : "";
    const y = steps[t].y;
    const says = task.classes ? task.classes[task.answer(y)] : signed(y[0]);
    return `step ${t + 1} of ${T}: input ${input}${mark}; answer here ${says}`;
  }

  // The step and the value of the input that a pointer is at.
  function under(event, picture) {
    const frame = picture.getBoundingClientRect();
    const scale = plan.width / frame.width;
    const t = Math.floor(((event.clientX - frame.left) * scale - LEFT) / plan.wide);
    const [row] = plan.rows;
    const [low, high] = scene.task.range || [0, 0];
    const share = (row.top + row.height - 6 - (event.clientY - frame.top) * scale) / (row.height - 24);
    return { t: clamp(t, 0, scene.T - 1), value: low + share * (high - low) };
  }

  return { draw, pointAt, stepInWords, under };
})();
