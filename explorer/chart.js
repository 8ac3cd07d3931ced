"use strict";

// Scales, axes and curves in SVG.

const Chart = (() => {
  const { svg, short } = Dom;

  function linear([low, high], [from, to]) {
    const scale = (value) => from + ((value - low) / (high - low || 1)) * (to - from);
    scale.ticks = (count) => ticks(low, high, count);
    return scale;
  }

  function log([low, high], range) {
    const inner = linear([Math.log10(low), Math.log10(high)], range);
    const scale = (value) => inner(Math.log10(value));
    scale.ticks = (count) => {
      const decades = Math.log10(high / low);
      const digits = [[1, 2, 5], [1, 3], [1]].find((each) => each.length * decades <= count) || [1];
      const found = [];
      for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power += 1) {
        for (const digit of digits) {
          const value = digit * 10 ** power;
          if (value >= low * 0.999 && value <= high * 1.001) found.push(value);
        }
      }
      return found;
    };
    return scale;
  }

  // The next of 1, 2, 5, 10, ... from a number up.
  function roundUp(value) {
    const power = 10 ** Math.floor(Math.log10(value));
    return [1, 2, 5, 10].map((digit) => digit * power).find((tick) => tick >= value * (1 - 1e-9));
  }

  function ticks(low, high, count) {
    const step = roundUp((high - low) / count || 1);
    const found = [];
    for (let k = Math.ceil(low / step - 1e-9); k * step <= high + 1e-9 * step; k += 1)
      found.push(k * step || 0);
    return found;
  }

  const path = (points) =>
    points.map(([x, y], k) => `${k ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join("");

  function withThousands(value) {
    if (value >= 1e6) return `${short(value / 1e6)} M`;
    return value >= 1e4 ? `${short(value / 1e3)} k` : short(value);
  }

  // A curve with its axes. x, y: columns, y may hold nulls; mark: an index to be pointed at.
  function curve({ x, y, xName, yName, width, height, mark = null, title }) {
    const known = x.map((value, k) => [value, y[k], k]).filter(([, value]) => value !== null);
    const values = known.map(([, value]) => value);
    const [low, high] = [Math.min(...values), Math.max(...values)];
    const left = 58,
      right = 26,
      top = 28,
      bottom = 38;
    const across = linear([x[0], x[x.length - 1]], [left, width - right]);
    const isLog = low > 0 && high / low > 30;
    const span = [height - bottom, top];
    const padded = low === high ? [low - 0.5, high + 0.5] : [Math.min(low, 0), high];
    const up = isLog ? log([low * 0.9, high * 1.1], span) : linear(padded, span);
    const picture = svg("svg", {
      width,
      height,
      viewBox: `0 0 ${width} ${height}`,
      role: "img",
      "aria-label": title,
    });
    for (const tick of up.ticks(5)) {
      picture.append(
        svg("line", { x1: left, x2: width - right, y1: up(tick), y2: up(tick), class: "grid" }),
        svg("text", { x: left - 6, y: up(tick) + 4, class: "tick end" }, short(tick)),
      );
    }
    for (const tick of across.ticks(Math.max(2, Math.floor(width / 130)))) {
      picture.append(
        svg("text", { x: across(tick), y: height - bottom + 16, class: "tick middle" }, withThousands(tick)),
      );
    }
    picture.append(
      svg("text", { x: width - right, y: height - 4, class: "tick end" }, xName),
      svg("text", { x: left, y: 14, class: "tick" }, `${yName}${isLog ? ", log scale" : ""}`),
      svg("path", { d: path(known.map(([a, b]) => [across(a), up(b)])), class: "curve" }),
    );
    const dots = known.length < 16 ? known : known.filter(([, , k]) => k === mark);
    for (const [a, b] of dots)
      picture.append(svg("circle", { cx: across(a), cy: up(b), r: 3, class: "dot" }));
    return picture;
  }

  return { linear, log, roundUp, ticks, path, curve, withThousands };
})();
