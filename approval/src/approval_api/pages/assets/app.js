// What pages cannot do without a script: the viewer's time zone, running clocks, the keyboard, Copy, select all,
// questions before buttons that cannot be undone. Everything else works without it.
(() => {
  "use strict";

  const styles = {
    full: { dateStyle: "medium", timeStyle: "short" },
    clock: { hour: "2-digit", minute: "2-digit", second: "2-digit" },
  };
  const formats = Object.fromEntries(
    Object.entries(styles).map(([name, style]) => [name, new Intl.DateTimeFormat(undefined, style)]),
  );
  const exact = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" });

  // "2:30" and "PM" stay on one line, however narrow a column is.
  function written(format, at) {
    const parts = format.formatToParts(at);
    return parts
      .map(({ type, value }, i) => (type === "literal" && parts[i + 1]?.type === "dayPeriod" ? "\u00a0" : value))
      .join("");
  }

  function localize(root) {
    for (const time of root.querySelectorAll("time[data-time]")) {
      const at = new Date(time.dateTime);
      const text = written(formats[time.dataset.time], at);
      if (time.textContent !== text) {
        time.textContent = text;
        time.title = exact.format(at);
      }
    }
  }

  function spell(seconds) {
    const whole = Math.max(0, Math.floor(seconds));
    if (whole < 60) return `${whole} s`;
    const minutes = Math.floor(whole / 60);
    const rest = whole % 60;
    return minutes < 60 ? `${minutes} min ${rest} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  }

  function tick() {
    const now = Date.now();
    for (const time of document.querySelectorAll("time[data-since]")) {
      set(time, spell((now - Date.parse(time.dataset.since)) / 1000));
    }
    for (const time of document.querySelectorAll("time[data-until]")) {
      const left = Date.parse(time.dataset.until) - now;
      const line = time.closest("[data-overdue]");
      if (line && left <= 0) set(line, line.dataset.overdue);
      else set(time, spell(left / 1000));
    }
  }

  function set(element, text) {
    if (element.textContent !== text) element.textContent = text;
  }

  // Before the next paint, so that nobody sees the server's text flicker.
  new MutationObserver((records) => {
    if (records.some((record) => record.addedNodes.length > 0)) {
      localize(document);
      tick();
    }
  }).observe(document.documentElement, { childList: true, subtree: true });
  localize(document);
  tick();
  setInterval(tick, 1000);

  const menu = document.querySelector(".menu-button");
  menu?.addEventListener("click", () => {
    menu.setAttribute("aria-expanded", String(menu.getAttribute("aria-expanded") !== "true"));
  });

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    await navigator.clipboard.writeText(document.querySelector(button.dataset.copy).textContent);
    set(button, "Copied");
  });

  // What the enter key presses where it is to do nothing (`nothing_by_enter`) reaches no other listener.
  document.addEventListener(
    "submit",
    (event) => {
      if (event.submitter?.formMethod !== "dialog") return;
      event.preventDefault();
      event.stopPropagation();
    },
    { capture: true },
  );

  document.addEventListener("submit", (event) => {
    const button = event.submitter;
    if (button?.dataset.confirm && !window.confirm(button.dataset.confirm)) {
      event.preventDefault();
      return;
    }
    // Disabled after the form was read, so that its own name and value are sent.
    if (button && "once" in button.dataset) setTimeout(() => { button.disabled = true; }, 0);
  });
  // Back from the browser's own cache: what was disabled is to be used again.
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) for (const button of document.querySelectorAll("[data-once]")) button.disabled = false;
  });

  // Keys count only while a row of the list has the focus: nobody who types is taken by surprise.
  function rows() {
    return [...document.querySelectorAll("tr[data-row]")];
  }

  function reachable() {
    const all = rows();
    if (all.length > 0 && !all.some((row) => row.tabIndex === 0)) all[0].tabIndex = 0;
  }

  function focusRow(row) {
    for (const other of rows()) other.tabIndex = other === row ? 0 : -1;
    row.focus();
    row.scrollIntoView({ block: "nearest" });
  }

  function press(row, button) {
    if (!button) return;
    const all = rows();
    const next = all[all.indexOf(row) + 1];
    button.form.requestSubmit(button);
    if (next) focusRow(next);
  }

  const keys = {
    j: (row) => step(row, 1),
    ArrowDown: (row) => step(row, 1),
    k: (row) => step(row, -1),
    ArrowUp: (row) => step(row, -1),
    a: (row) => press(row, row.querySelector("[data-key=a]")),
    r: (row) => press(row, row.querySelector("[data-key=r]")),
    u: (row) => press(row, row.querySelector("[data-key=u]")),
    x: (row) => row.querySelector("input[name=seen]")?.click(),
    e: (row) => row.querySelector("summary")?.click(),
    n: () => document.querySelector("#note")?.focus(),
    "/": () => document.querySelector("#search")?.focus(),
  };

  function step(row, by) {
    const all = rows();
    const next = all[all.indexOf(row) + by];
    if (next) focusRow(next);
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const row = event.target.closest?.("tr[data-row]");
    if (row && event.target.matches("tr, input[type=checkbox], summary, button")) {
      const act = keys[event.key.length === 1 ? event.key.toLowerCase() : event.key];
      if (!act) return;
      event.preventDefault();
      act(row);
    } else if (event.key === "Escape" && event.target.matches("#note, #search")) {
      const first = rows().find((each) => each.tabIndex === 0);
      if (first) focusRow(first);
    }
  });

  document.addEventListener("change", (event) => {
    if (event.target.id !== "tick-all") return;
    for (const box of document.querySelectorAll("input[name=seen]")) box.checked = event.target.checked;
  });

  // A row that was decided on comes anew; the focus stays where it was.
  let focused = null;
  document.addEventListener("htmx:before:swap", () => {
    focused = document.activeElement?.closest?.("tr[data-row]")?.id ?? null;
  });
  document.addEventListener("htmx:after:swap", () => {
    reachable();
    const row = focused && document.getElementById(focused);
    if (row && !row.contains(document.activeElement)) focusRow(row);
  });
  reachable();

  function tellLink(text, broken) {
    const link = document.querySelector("#link");
    if (!link) return;
    link.hidden = false;
    link.classList.toggle("is-broken", broken);
    const words = link.querySelector("span");
    if (words) set(words, text);
  }
  document.addEventListener("htmx:sse:after:connection", () => tellLink("Live", false));
  document.addEventListener("htmx:sse:error", () => tellLink("Reconnecting …", true));
  document.addEventListener("htmx:sse:close", () => tellLink("Reconnecting …", true));
})();
