// Warns before a session ends and sends what is typed to the server, which keeps it. Nothing is stored in the browser.
(function () {
  "use strict";

  const WARN_S = 120;
  const KEEP_AGAIN_S = 10;
  const MARGIN_S = 3; // the page leaves a little later than the server ends the session, never earlier
  const PARTS = "input:not([type=hidden], [type=password], [type=file], [type=submit], [type=button]), select, textarea";

  const box = document.querySelector("[data-session]");
  if (!box) return;
  const stay = box.querySelector("form");
  const left = box.querySelector("[data-session-left]");
  const text = box.querySelector("#session-warning-text");
  let endsAt = Date.now() + Number(box.dataset.session) * 60000;
  let asked = false;
  let keptNear = false;

  function token() {
    return box.querySelector("[name=csrfmiddlewaretoken]").value;
  }

  function send(url, method, body) {
    return fetch(url, { method, body, headers: { "X-CSRFToken": token() }, credentials: "same-origin", redirect: "error" });
  }

  function isChanged(part) {
    if (part.type === "checkbox" || part.type === "radio") return part.checked !== part.defaultChecked;
    if (part.tagName === "SELECT") return Array.from(part.options).some((option) => option.selected !== option.defaultSelected);
    return part.value !== part.defaultValue;
  }

  function forms() {
    return Array.from(document.querySelectorAll("main form")).filter((form) => form.method === "post" && !form.closest("[data-draft-offer]"));
  }

  function valuesOf(part) {
    if (part.type === "checkbox" || part.type === "radio") return part.checked ? [part.value] : [];
    if (part.tagName === "SELECT") return Array.from(part.selectedOptions).map((option) => option.value);
    return [part.value];
  }

  function keep() {
    forms().forEach((form) => {
      const parts = Array.from(form.querySelectorAll(PARTS)).filter((part) => part.name && !part.disabled);
      if (!parts.some(isChanged)) return;
      const body = new FormData();
      body.append("draft_page", location.pathname);
      body.append("draft_action", new URL(form.action, location.href).pathname);
      parts.forEach((part) => valuesOf(part).forEach((value) => {
        body.append("draft_name", part.name);
        body.append("draft_text", value);
      }));
      send(box.dataset.draft, "POST", body).catch(() => {});
    });
  }

  async function ask() {
    try {
      const answer = await send(stay.action, "GET");
      const { seconds, may_stay: mayStay } = await answer.json();
      endsAt = Date.now() + seconds * 1000;
      stay.querySelector("[data-session-stay]").hidden = !mayStay;
    } catch {
      asked = Date.now() >= endsAt; // the line may be down: the next tick asks again, until the time is up
    }
  }

  function words(seconds) {
    if (seconds >= 90) return `${Math.round(seconds / 60)} minutes`;
    return seconds === 1 ? "1 second" : `${seconds} seconds`;
  }

  function warn(seconds) {
    left.textContent = words(Math.max(0, seconds));
    if (!box.hidden) return;
    box.hidden = false;
    keep();
    text.focus();
  }

  async function tick() {
    const seconds = Math.round((endsAt - Date.now()) / 1000);
    if (seconds > WARN_S) {
      box.hidden = true;
      asked = keptNear = false;
      return;
    }
    if (!asked) { // another window may have kept the session alive
      asked = true;
      await ask();
      return;
    }
    if (seconds <= KEEP_AGAIN_S && !keptNear) {
      keptNear = true;
      keep();
    }
    if (seconds <= -MARGIN_S) {
      const back = `&next=${encodeURIComponent(location.pathname)}`;
      location.replace(box.dataset.ended + back);
      return;
    }
    warn(seconds);
  }

  stay.addEventListener("submit", async (event) => {
    event.preventDefault();
    const body = new FormData(stay);
    try {
      const answer = await send(stay.action, "POST", body);
      endsAt = Date.now() + (await answer.json()).seconds * 1000;
      tick();
    } catch {
      location.reload();
    }
  });

  setInterval(tick, 1000);

  // A draft of an earlier session, put back where it was typed.
  document.querySelectorAll("[data-draft-offer]").forEach((offer) => {
    const form = forms().find((one) => new URL(one.action, location.href).pathname === offer.dataset.draftAction);
    const button = offer.querySelector("[data-draft-use]");
    if (!form) return;
    button.hidden = false;
    button.addEventListener("click", () => {
      const typed = new Map();
      offer.querySelectorAll("[data-draft-name]").forEach((one) => {
        typed.set(one.dataset.draftName, [...(typed.get(one.dataset.draftName) || []), one.textContent]);
      });
      form.querySelectorAll(PARTS).forEach((part) => fill(part, typed.get(part.name)));
      const first = form.querySelector(PARTS);
      if (first) first.focus();
    });
  });

  function fill(part, values) {
    if (part.type === "checkbox" || part.type === "radio") part.checked = (values || []).includes(part.value);
    else if (!values) return;
    else if (part.tagName === "SELECT" && part.multiple) Array.from(part.options).forEach((option) => { option.selected = values.includes(option.value); });
    else part.value = values.shift() ?? part.value;
    part.dispatchEvent(new Event("change", { bubbles: true }));
  }
})();
