"use strict";

// Small tools that every view uses: elements, numbers in words, colours.

const Dom = (() => {
  const SVG = "http://www.w3.org/2000/svg";

  // Sets attributes; a function is a listener: onclick is that of "click".
  function dress(element, attributes) {
    for (const [name, value] of Object.entries(attributes)) {
      if (typeof value === "function") element.addEventListener(name.slice(2), value);
      else if (name in element && ["checked", "value", "disabled", "hidden", "selected"].includes(name)) {
        element[name] = value;
      } else if (value !== false && value !== null && value !== undefined) {
        element.setAttribute(name, value === true ? "" : value);
      }
    }
    return element;
  }

  function el(tag, attributes = {}, ...children) {
    const element = dress(document.createElement(tag), attributes);
    element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
    return element;
  }

  function svg(tag, attributes = {}, ...children) {
    const element = dress(document.createElementNS(SVG, tag), attributes);
    element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
    return element;
  }

  const byId = (id) => document.getElementById(id);

  // ---- Choices -----------------------------------------------------------------------------------

  let groups = 0;

  // A row of radio buttons that looks like one control. options: [[value, label], ...].
  function segmented(legend, options, chosen, onChange) {
    groups += 1;
    const radios = options.map(([value]) =>
      el("input", {
        type: "radio",
        name: `choice-${groups}`,
        value,
        onchange: () => onChange(value),
      }),
    );
    const labels = options.map(([, words], k) => el("label", {}, radios[k], el("span", {}, words)));
    const group = el("fieldset", { class: "segmented" }, el("legend", {}, legend), el("div", {}, labels));
    group.choose = (value) =>
      radios.forEach((radio) => {
        radio.checked = radio.value === value;
      });
    group.choose(chosen);
    return group;
  }

  function select(label, options, chosen, onChange) {
    const list = el(
      "select",
      { onchange: (event) => onChange(event.target.value) },
      options.map(([value, words]) => el("option", { value, selected: value === chosen }, words)),
    );
    return el("label", { class: "field" }, el("span", {}, label), list);
  }

  // ---- Numbers -----------------------------------------------------------------------------------

  // With the true minus sign.
  const minus = (text) => text.replace("-", "−");

  const fixed = (value, digits = 2) => minus(value.toFixed(digits));

  function signed(value, digits = 2) {
    const text = fixed(value, digits);
    return text.startsWith("−") || Number(value.toFixed(digits)) === 0 ? text : `+${text}`;
  }

  const thousands = (value) => minus(Math.round(value).toLocaleString("en-US"));

  // For people: few digits, no long tails.
  function short(value) {
    if (typeof value !== "number") return String(value);
    if (Number.isInteger(value))
      return Math.abs(value) < 1e9 ? thousands(value) : minus(value.toPrecision(3));
    const size = Math.abs(value);
    if (size !== 0 && (size < 1e-3 || size >= 1e6))
      return minus(Number(value.toPrecision(3)).toExponential());
    return minus(String(Number(value.toPrecision(4))));
  }

  // ---- Colours -----------------------------------------------------------------------------------

  // The colours of the style sheet, as they are now (light or dark).
  function colours() {
    const style = getComputedStyle(document.documentElement);
    const of = (name) => style.getPropertyValue(`--${name}`).trim();
    return Object.fromEntries(
      ["ink", "quiet", "line", "surface", "orange", "sky", "green", "yellow", "blue", "red", "purple"].map(
        (name) => [name, of(name)],
      ),
    );
  }

  const parts = (hex) => [1, 3, 5].map((k) => parseInt(hex.slice(k, k + 2), 16));

  // The colours of a range of values, as a function that makes [red, green, blue] of a value: from the
  // surface to blue below 0 and to red above it, small values a little stronger than in proportion; in a
  // range without a sign from the surface to green.
  function shades([low, high], palette) {
    const [surface, blue, red, green] = ["surface", "blue", "red", "green"].map((name) =>
      parts(palette[name]),
    );
    const mix = (colour, share) => surface.map((value, k) => value + (colour[k] - value) * share);
    if (low >= 0) return (value) => mix(green, clamp(value / high, 0, 1));
    const most = Math.max(-low, high);
    return (value) => mix(value < 0 ? blue : red, clamp(Math.abs(value) / most, 0, 1) ** 0.7);
  }

  const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

  // Says something to a screen reader, once things have come to rest.
  let waiting = null;
  function announce(text) {
    clearTimeout(waiting);
    waiting = setTimeout(() => {
      byId("status").textContent = text;
    }, 600);
  }

  function copyButton(text) {
    const button = el(
      "button",
      {
        type: "button",
        class: "small",
        onclick: async () => {
          try {
            await navigator.clipboard.writeText(text);
            button.textContent = "Copied";
          } catch {
            const range = document.createRange();
            range.selectNodeContents(button.previousElementSibling);
            getSelection().removeAllRanges();
            getSelection().addRange(range);
            button.textContent = "Selected: copy it";
          }
        },
      },
      "Copy",
    );
    return button;
  }

  const commandLine = (text) => el("div", { class: "command" }, el("code", {}, text), copyButton(text));

  return {
    el,
    svg,
    byId,
    segmented,
    select,
    minus,
    fixed,
    signed,
    thousands,
    short,
    colours,
    shades,
    clamp,
    announce,
    commandLine,
  };
})();
