"use strict";

// The frame: views, light and dark, and the first drawing.

const Page = (() => {
  const { el, byId, segmented } = Dom;
  const VIEWS = [
    ["watch", "Watch a net", Watch],
    ["compare", "Paper against ours", Compare],
    ["runs", "Runs", Runs],
  ];
  const NAMES = VIEWS.map(([name]) => name);
  let data = null;

  // The page's data: JSON, packed by gzip, as base64.
  async function unpack(text) {
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    const json = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Response(json).json();
  }

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
    if (data === null) return;
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
  if (typeof DecompressionStream === "undefined") {
    byId("main").append(el("p", { class: "card" }, "This page needs a browser of 2023 or later."));
    return {};
  }
  unpack(byId("data").textContent).then((found) => {
    data = found;
    show();
  });
  return { data: () => data };
})();
