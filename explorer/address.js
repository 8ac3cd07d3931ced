"use strict";

// What the page shows stands in its address, behind the #: a link opens the same view.

const Address = (() => {
  let state = {};
  const listeners = [];

  const encode = (text) => encodeURIComponent(text).replace(/%(2C|3A|20)/g, (code) => (
    { "%2C": ",", "%3A": ":", "%20": "+" })[code]);

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

  const write = (values) => `#${Object.entries(values)
    .map(([name, value]) => `${name}=${encode(value)}`).join("&")}`;

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

  // Changes the state. The listeners hear of it unless quiet.
  function set(changes, { quiet = false } = {}) {
    state = changed(changes);
    history.replaceState(null, "", write(state));
    if (!quiet) listeners.forEach((listener) => listener());
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
    addEventListener("hashchange", () => {
      state = read(location.hash);
      listeners.forEach((each) => each());
    });
  }

  return { get, number, word, set, link, start };
})();
