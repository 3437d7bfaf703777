// Keys in lists, one submit a click, menus that close. Every page works without this file.
(function () {
  "use strict";

  const REPEAT_AFTER_MS = 10000;

  function isTyping(element) {
    return element.isContentEditable || /^(INPUT|SELECT|TEXTAREA)$/.test(element.tagName);
  }

  function rowsOf(list) {
    return Array.from(list.querySelectorAll("[data-row]"));
  }

  function moveTo(list, step) {
    const rows = rowsOf(list);
    if (!rows.length) return;
    const at = rows.findIndex((row) => row.hasAttribute("data-current"));
    const next = rows[Math.min(rows.length - 1, Math.max(0, at + step))];
    rows.forEach((row) => row.removeAttribute("data-current"));
    next.setAttribute("data-current", "");
    const link = next.querySelector("a[href]");
    if (link) link.focus({ preventScroll: true });
    next.scrollIntoView({ block: "nearest" });
  }

  function listInUse() {
    const current = document.querySelector("[data-row][data-current]");
    return current ? current.closest("[data-rows]") : document.querySelector("[data-rows]");
  }

  function openCurrent(event) {
    const row = document.querySelector("[data-row][data-current]");
    const link = row && row.querySelector("a[href]");
    if (!link || document.activeElement !== document.body) return;
    event.preventDefault();
    link.click();
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
    const list = listInUse();
    if (event.key === "j" && list) moveTo(list, 1);
    else if (event.key === "k" && list) moveTo(list, -1);
    else if (event.key === "Enter") openCurrent(event);
    else if (event.key === "/") {
      const search = document.querySelector("[data-search]");
      if (!search) return;
      event.preventDefault();
      search.focus();
    }
  });

  function setBusy(form, busy) {
    form.querySelectorAll("button[type=submit], button:not([type]), input[type=submit]").forEach((button) => {
      button.disabled = busy;
      button.toggleAttribute("aria-busy", false);
      if (busy) button.setAttribute("aria-busy", "true");
    });
  }

  // Disabling waits until the browser has read the form, or the pressed button's name would not be sent.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.method !== "post" || event.defaultPrevented) return;
    setTimeout(() => setBusy(form, true), 0);
    setTimeout(() => setBusy(form, false), REPEAT_AFTER_MS);
  });

  window.addEventListener("pageshow", () => document.querySelectorAll("form").forEach((form) => setBusy(form, false)));

  document.addEventListener("click", (event) => {
    document.querySelectorAll("details.menu[open]").forEach((menu) => {
      if (!menu.contains(event.target)) menu.open = false;
    });
  });

  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    document.querySelectorAll("details.menu[open]").forEach((menu) => {
      menu.open = false;
      menu.querySelector("summary").focus();
    });
  });

  // htmx keeps the address of the page for its own history, which no page here uses; nothing about a person stays in the browser.
  sessionStorage.removeItem("htmx-current-path-for-history");

  // A table too wide for the window scrolls inside its frame; the keyboard must be able to get there too.
  const frames = new ResizeObserver((entries) => {
    for (const { target } of entries) {
      if (target.scrollWidth > target.clientWidth) target.tabIndex = 0;
      else target.removeAttribute("tabindex");
    }
  });
  document.querySelectorAll(".table-scroll").forEach((frame) => frames.observe(frame));

  document.querySelectorAll("[data-print]").forEach((button) => {
    button.hidden = false;
    button.addEventListener("click", () => window.print());
  });

  const summary = document.querySelector("[data-error-summary]");
  if (summary) summary.focus();

  document.addEventListener("change", (event) => {
    if (event.target.closest("[data-submit-on-change]")) event.target.form.requestSubmit();
  });
})();
