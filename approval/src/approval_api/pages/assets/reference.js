// Sends what the forms of the API's reference describe, as whoever is signed in, and shows the answer as text.
(() => {
  "use strict";

  const MOST_CHARACTERS = 20000;
  const SECONDS = 30;

  function request(form) {
    const { method, path, csrf } = form.dataset;
    const headers = { Accept: "application/json" };
    const query = new URLSearchParams();
    const options = { method, headers, signal: AbortSignal.timeout(SECONDS * 1000), redirect: "error" };
    let url = path;
    for (const input of form.querySelectorAll("[data-in]")) {
      if (input.dataset.in === "path") url = url.replace(`{${input.name}}`, encodeURIComponent(input.value));
      else if (input.value === "") continue;
      else if (input.dataset.in === "query") query.append(input.name, input.value);
      else if (input.dataset.in === "header") headers[input.name] = input.value;
      else if (input.dataset.in === "body") {
        headers["Content-Type"] = "application/json";
        options.body = input.value;
      }
    }
    if (method !== "GET" && csrf) headers["X-CSRF-Token"] = csrf;
    return [query.size > 0 ? `${url}?${query}` : url, options];
  }

  async function words(response) {
    const type = response.headers.get("Content-Type") ?? "";
    if (response.status === 204) return "";
    if (!/json|text|xml/.test(type)) return `${(await response.blob()).size} bytes of ${type}`;
    const text = await response.text();
    let shown = text;
    if (type.includes("json")) {
      try {
        shown = JSON.stringify(JSON.parse(text), null, 2);
      } catch {
        // Not JSON after all: it is shown as it is.
      }
    }
    return shown.length > MOST_CHARACTERS ? `${shown.slice(0, MOST_CHARACTERS)}\n…` : shown;
  }

  function show(place, head, body) {
    const line = document.createElement("p");
    line.className = "muted";
    line.textContent = head;
    place.replaceChildren(line);
    if (body === "") return;
    const text = document.createElement("pre");
    text.className = "boxed";
    text.tabIndex = 0;
    text.textContent = body;
    place.append(text);
  }

  for (const form of document.querySelectorAll("form[data-try]")) {
    form.hidden = false;
    form.addEventListener("submit", async (event) => {
      const asked = event.submitter?.dataset.confirm;
      event.preventDefault();
      event.stopPropagation();
      if (asked && !window.confirm(asked)) return;
      const place = form.querySelector(".answer");
      const [url, options] = request(form);
      try {
        const response = await fetch(url, options);
        show(place, `${response.status} ${response.statusText}, ${url}`, await words(response));
      } catch (error) {
        show(place, `No answer: ${error.message}`, "");
      }
    });
  }

  // A link to one operation opens it.
  const named = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (named instanceof HTMLDetailsElement) named.open = true;
})();
