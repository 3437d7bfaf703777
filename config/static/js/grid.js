// The laboratory grid: says at once when a value looks wrong, and takes a pasted column. The server judges again on saving.
(function () {
  "use strict";

  const NUMBER = /^\s*[<>≤≥]?\s*(-?\d+(?:[.,]\d+)?)\s*$/;

  function numberIn(text) {
    const found = NUMBER.exec(text);
    return found ? Number(found[1].replace(",", ".")) : NaN;
  }

  function side(value, range) {
    if (!range) return null;
    const [low, high] = range;
    if (low !== null && low !== undefined && value < low) return "below";
    if (high !== null && high !== undefined && value > high) return "above";
    return null;
  }

  function span(range, unit) {
    const [low, high] = range;
    if (low === null || low === undefined) return `up to ${high} ${unit}`;
    if (high === null || high === undefined) return `from ${low} ${unit}`;
    return `${low}–${high} ${unit}`;
  }

  function unitOf(row) {
    const select = row.querySelector("select[data-unit]");
    return select ? select.value : row.dataset.unit || "";
  }

  function judge(text, limits, unit) {
    if (!text.trim()) return { level: "", kind: "", words: "" };
    const value = numberIn(text);
    if (Number.isNaN(value)) return { level: "hard", kind: "alarm", words: "Not a number" };
    if (!limits) return { level: "", kind: "", words: "" };
    if (side(value, limits.hard)) return { level: "hard", kind: "alarm", words: `Outside what is possible (${span(limits.hard, unit)}): check value and unit` };
    if (side(value, limits.soft)) return { level: "soft", kind: "late", words: `Unusual (expected ${span(limits.soft, unit)}): check it` };
    const where = side(value, limits.reference);
    if (where) return { level: "", kind: "due", words: where === "above" ? "Above range" : "Below range" };
    return { level: "", kind: limits.reference ? "done" : "", words: limits.reference ? "In range" : "" };
  }

  function show(row) {
    const input = row.querySelector("[data-value]");
    const flag = row.querySelector("[data-flag]");
    const unit = unitOf(row);
    const limits = JSON.parse(row.dataset.limits || "{}")[unit];
    const verdict = judge(input.value, limits, unit);
    row.dataset.level = verdict.level;
    input.setAttribute("aria-invalid", String(verdict.level === "hard"));
    flag.textContent = "";
    if (!verdict.words) return;
    const mark = document.createElement("span");
    mark.className = `status status-${verdict.kind || "quiet"}`;
    mark.textContent = verdict.words;
    flag.append(mark);
  }

  function fillDown(event) {
    const input = event.target.closest("[data-value]");
    const lines = event.clipboardData.getData("text").replace(/\r/g, "").replace(/\n+$/, "").split("\n");
    if (!input || lines.length < 2) return;
    event.preventDefault();
    const inputs = Array.from(input.form.querySelectorAll("[data-value]")); // on into the next table: nothing pasted is dropped
    inputs.slice(inputs.indexOf(input), inputs.indexOf(input) + lines.length).forEach((target, index) => {
      target.value = lines[index].split("\t")[0].trim();
      show(target.closest("[data-grid-row]"));
    });
  }

  document.querySelectorAll("[data-grid]").forEach((grid) => {
    grid.addEventListener("focusout", (event) => {
      if (event.target.matches("[data-value]")) show(event.target.closest("[data-grid-row]"));
    });
    grid.addEventListener("change", (event) => {
      if (event.target.matches("select[data-unit]")) show(event.target.closest("[data-grid-row]"));
    });
    grid.addEventListener("paste", fillDown);
    grid.querySelectorAll("[data-grid-row]").forEach(show);
  });
})();
