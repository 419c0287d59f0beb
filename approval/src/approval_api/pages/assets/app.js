// What pages cannot do without a script: the viewer's time zone, clocks, the keyboard. Pages work without it.
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

  function localize(root) {
    for (const time of root.querySelectorAll("time[data-time]")) {
      const at = new Date(time.dateTime);
      const text = formats[time.dataset.time].format(at);
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
      set(time, spell((Date.parse(time.dataset.until) - now) / 1000));
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

  function tellLink(text, broken) {
    const link = document.querySelector("#link");
    if (!link) return;
    link.classList.toggle("is-broken", broken);
    const words = link.querySelector("span");
    if (words) set(words, text);
  }
  document.addEventListener("htmx:sse:after:connection", () => tellLink("Live", false));
  document.addEventListener("htmx:sse:error", () => tellLink("Reconnecting …", true));
  document.addEventListener("htmx:sse:close", () => tellLink("Reconnecting …", true));
})();
