"use strict";

// The answer of a net beside the right one.

const Answer = (() => {
  const { el, svg, fixed, signed, clamp } = Dom;

  const box = (name, words, kind = "", more = null) =>
    el(
      "div",
      { class: `box ${kind}` },
      el("span", { class: "name" }, name),
      el("span", { class: "big" }, words),
      more && el("span", { class: "more" }, more),
    );

  // The boxes and the small picture that tell the answer.
  function draw(scene) {
    const { task, target, y, right, sequence, net } = scene;
    const verdict = right ? "right" : "wrong";
    const sign = target === null ? "" : right ? " ✓" : " ✗";
    let boxes;
    if (task.classes) {
      const probabilities = Scene.probability(scene, y);
      const said = task.answer(y);
      const saw = task
        .matters(sequence)
        .map((t) => (sequence.symbols ? task.names[sequence.symbols[t]] : signed(sequence.values[t])));
      boxes = [
        box("it saw", saw.join(scene.name === "threeBits" ? " " : " … ") || "nothing"),
        box(
          "right answer",
          target === null ? "none" : task.classes[target],
          "",
          target === null ? "the sequence is not of this task" : null,
        ),
        box(
          "the net says",
          `${task.classes[said]}${sign}`,
          verdict,
          net.cell === "blocks1997"
            ? `output ${fixed(probabilities[said], 3)}; right is every output within ${net.own.tolerance}`
            : `with probability ${fixed(probabilities[said], 3)}`,
        ),
        bars(scene, probabilities),
      ];
    } else {
      const [a, b] = task.matters(sequence).map((t) => sequence.values[t]);
      const sum = `${fixed(a)} + ${b < 0 ? `(${fixed(b)})` : fixed(b)}`;
      const quarter = task.answers[0] === 0;
      const off = Math.abs(y[0] - target);
      boxes = [
        box("marked", quarter ? `0.5 + (${sum}) / 4` : sum),
        box("right answer", quarter ? fixed(target, 3) : signed(target)),
        box(
          "the net says",
          `${quarter ? fixed(y[0], 3) : signed(y[0])}${sign}`,
          verdict,
          `off by ${fixed(off, 3)}; right is less than ${net.own.tolerance}`,
        ),
        gauge(task.answers, target, y[0], right),
      ];
    }
    return boxes;
  }

  // The right answer and the net's on a line of numbers.
  function gauge([low, high], target, y, right) {
    const [width, height] = [230, 62];
    const colours = Dom.colours();
    const place = Chart.linear([low, high], [12, width - 12]);
    const inside = clamp(y, low, high);
    return svg(
      "svg",
      {
        class: "gauge",
        viewBox: `0 0 ${width} ${height}`,
        role: "img",
        "aria-label": `right ${fixed(target)}, net ${fixed(y)}`,
      },
      svg("line", { x1: 12, x2: width - 12, y1: 34, y2: 34, stroke: colours.quiet }),
      [low, (low + high) / 2, high].map((tick) =>
        svg("text", { x: place(tick), y: 56, class: "tick middle" }, fixed(tick, 1)),
      ),
      svg("path", { d: `M${place(target)} 30l-7 -12h14z`, fill: colours.orange }),
      svg("text", { x: clamp(place(target), 26, width - 26), y: 12, class: "tick middle" }, "right"),
      svg("circle", { cx: place(inside), cy: 34, r: 6, fill: right ? colours.green : colours.red }),
    );
  }

  // The net's classes, the right one green.
  function bars({ task, target }, probabilities) {
    const [wide, height] = [230 / probabilities.length, 62];
    const colours = Dom.colours();
    return svg(
      "svg",
      {
        class: "gauge",
        viewBox: `0 0 230 ${height + 8}`,
        role: "img",
        "aria-label": probabilities.map((p, k) => `${task.classes[k]} ${fixed(p)}`).join(", "),
      },
      probabilities.map((p, k) => [
        svg("rect", { x: k * wide + 2, y: 6, width: wide - 4, height: height - 18, fill: colours.line }),
        svg("rect", {
          x: k * wide + 2,
          y: 6 + (height - 18) * (1 - p),
          width: wide - 4,
          height: (height - 18) * p,
          fill: k === target ? colours.green : colours.red,
        }),
        svg(
          "text",
          { x: (k + 0.5) * wide, y: height + 4, class: k === target ? "tick middle strong" : "tick middle" },
          task.classes[k],
        ),
      ]),
    );
  }

  return { draw };
})();
