"use strict";

// The frame: views, light and dark, and the first drawing.

(() => {
  const { el, byId, segmented } = Dom;
  const VIEWS = [["watch", "Watch a net", Watch], ["compare", "Paper against ours", Compare], ["runs", "Runs", Runs]];
  const NAMES = VIEWS.map(([name]) => name);
  const data = JSON.parse(byId("data").textContent);

  const themes = segmented("Colours", [["auto", "Auto"], ["light", "Light"], ["dark", "Dark"]], "auto",
    (value) => Address.set({ theme: value === "auto" ? null : value }));
  const copy = el("button", { type: "button", class: "small", onclick: async () => {
    Address.flush();
    try {
      await navigator.clipboard.writeText(location.href);
      copy.textContent = "Copied";
    } catch {
      copy.textContent = "Copy it from above";
    }
    setTimeout(() => { copy.textContent = "Copy link"; }, 1500);
  } }, "Copy link");
  byId("theme").append(copy, themes);

  function show() {
    const theme = Address.word("theme", ["auto", "light", "dark"]);
    document.documentElement.dataset.theme = theme;
    themes.choose(theme);
    const shown = Address.word("view", NAMES);
    byId("views").replaceChildren(...VIEWS.map(([name, words]) => el("a", {
      href: Address.link({ view: name }), "aria-current": name === shown ? "page" : null,
    }, words)));
    for (const [name, , view] of VIEWS) {
      byId(name).hidden = name !== shown;
      if (name === shown) view.show(byId(name), data);
    }
  }

  // A link that was made before something else changed would take that back.
  byId("views").addEventListener("click", (event) => {
    const link = event.target.closest("a");
    if (!link || event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    Address.set({ view: NAMES[[...link.parentNode.children].indexOf(link)] });
    byId("views").querySelector("[aria-current]").focus();
  });

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
