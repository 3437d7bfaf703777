// "+ now" beside a time box: writes the site's own time, whatever the zone of this computer. Without this file people type it.
(function () {
  "use strict";

  function timeAt(zone) {
    return new Intl.DateTimeFormat("en-GB", { timeZone: zone, hour: "2-digit", minute: "2-digit", hourCycle: "h23" }).format(new Date());
  }

  document.querySelectorAll("input[data-now-zone]").forEach((box) => {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "btn btn-plain btn-sm";
    button.textContent = "+ now";
    button.setAttribute("aria-label", `Write the time now as ${box.dataset.nowLabel}`);
    button.addEventListener("click", () => {
      box.value = timeAt(box.dataset.nowZone);
      box.dispatchEvent(new Event("change", { bubbles: true }));
      box.focus();
    });
    box.insertAdjacentElement("afterend", button);
  });
})();
