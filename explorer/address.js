"use strict";

// What the page shows stands in its address, behind the #: a link opens the same view.

const Address = (() => {
  let state = {};
  const listeners = [];

  const encode = (text) =>
    encodeURIComponent(text).replace(
      /%(2C|3A|20)/g,
      (code) => ({ "%2C": ",", "%3A": ":", "%20": "+" })[code],
    );

  function read(hash) {
    const found = {};
    for (const part of hash.replace(/^#/, "").split("&").filter(Boolean)) {
      const [name, text = ""] = part.split(/=(.*)/s);
      try {
        found[name] = decodeURIComponent(text.replace(/\+/g, " "));
      } catch {
        // an address that somebody cut off in the middle of a character
      }
    }
    return found;
  }

  const write = (values) =>
    `#${Object.entries(values)
      .map(([name, value]) => `${name}=${encode(value)}`)
      .join("&")}`;

  // The state with some changes; null and undefined take a name away.
  function changed(changes) {
    const next = { ...state, ...changes };
    for (const [name, value] of Object.entries(next)) {
      if (value === null || value === undefined || value === "") delete next[name];
      else next[name] = String(value);
    }
    return next;
  }

  // The address of the state with some changes, for a link.
  const link = (changes) => write(changed(changes));

  // Browsers refuse an address that changes too often, as it would while something is dragged: it is
  // written at most every EVERY milliseconds, and always once things have come to rest.
  const EVERY = 400;
  let waiting = null,
    written = 0;

  function flush() {
    clearTimeout(waiting);
    waiting = null;
    written = Date.now();
    if (write(state) !== location.hash) history.replaceState(null, "", write(state));
  }

  // Changes the state. The listeners hear of it unless quiet.
  function set(changes, { quiet = false } = {}) {
    state = changed(changes);
    if (Date.now() - written > EVERY) flush();
    else if (waiting === null) waiting = setTimeout(flush, EVERY);
    if (!quiet) listeners.forEach((listener) => listener());
  }

  // A link to the state with some changes. It knows of what has changed since it was made.
  function anchor(words, changes) {
    const element = Dom.el("a", { href: link(changes) }, words);
    const renew = () => element.setAttribute("href", link(changes));
    element.addEventListener("pointerenter", renew);
    element.addEventListener("focus", renew);
    element.addEventListener("click", (event) => {
      renew();
      if (event.metaKey || event.ctrlKey || event.shiftKey) return;
      event.preventDefault();
      set(changes);
    });
    return element;
  }

  const get = (name, otherwise = null) => (name in state ? state[name] : otherwise);

  function number(name, otherwise, low, high) {
    const value = Number(get(name, otherwise));
    return Number.isInteger(value) && value >= low && value <= high ? value : otherwise;
  }

  // One of some words; the first of them for anything else.
  const word = (name, words) => (words.includes(get(name)) ? get(name) : words[0]);

  function start(listener) {
    listeners.push(listener);
    state = read(location.hash);
    addEventListener("pagehide", flush);
    addEventListener("hashchange", () => {
      clearTimeout(waiting);
      waiting = null;
      state = read(location.hash);
      listeners.forEach((each) => each());
    });
  }

  return { get, number, word, set, flush, link, anchor, start };
})();
