"use strict";

// The frame: views, light and dark, and the first drawing.

(() => {
  const { el, byId, segmented } = Dom;
  const VIEWS = [
    ["watch", "Watch a net", Watch],
    ["compare", "Paper against ours", Compare],
    ["runs", "Runs", Runs],
  ];
  const NAMES = VIEWS.map(([name]) => name);
  const data = JSON.parse(byId("data").textContent);

  const themes = segmented(
    "Colours",
    [
      ["auto", "Auto"],
      ["light", "Light"],
      ["dark", "Dark"],
    ],
    "auto",
    (value) => Address.set({ theme: value === "auto" ? null : value }),
  );
  const copy = el(
    "button",
    {
      type: "button",
      class: "small",
      onclick: async () => {
        Address.flush();
        try {
          await navigator.clipboard.writeText(location.href);
          copy.textContent = "Copied";
        } catch {
          copy.textContent = "Copy it from above";
        }
        setTimeout(() => {
          copy.textContent = "Copy link";
        }, 1500);
      },
    },
    "Copy link",
  );
  byId("theme").append(copy, themes);
  const links = VIEWS.map(([name, words]) => Address.anchor(words, { view: name }));
  byId("views").append(...links);

  function show() {
    const theme = Address.word("theme", ["auto", "light", "dark"]);
    document.documentElement.dataset.theme = theme;
    themes.choose(theme);
    const shown = Address.word("view", NAMES);
    NAMES.forEach((name, k) => links[k].setAttribute("aria-current", name === shown ? "page" : "false"));
    for (const [name, , view] of VIEWS) {
      byId(name).hidden = name !== shown;
      if (name === shown) view.show(byId(name), data);
    }
  }

  let width = 0;
  new ResizeObserver(([entry]) => {
    const now = Math.round(entry.contentRect.width);
    if (now !== width) {
      width = now;
      show();
    }
  }).observe(byId("main"));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", show);
  Address.start(show);
  show();
})();
