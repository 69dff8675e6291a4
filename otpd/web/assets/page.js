// Pages work without this. It copies, prints, counts down, and keeps a form from being sent twice.
"use strict";

for (const button of document.querySelectorAll("button.copy")) {
  if (!navigator.clipboard) break;
  button.hidden = false;
  button.addEventListener("click", async () => {
    const of = document.getElementById(button.dataset.copy);
    const lines = of.querySelectorAll("li");
    const text = lines.length ? Array.from(lines, (line) => line.textContent.trim()).join("\n") : of.textContent.replace(/\s/g, "");
    await navigator.clipboard.writeText(text);
    button.textContent = button.dataset.done;
    button.setAttribute("aria-live", "polite");
  });
}

for (const button of document.querySelectorAll("button.print")) {
  button.hidden = false;
  button.addEventListener("click", () => window.print());
}

for (const place of document.querySelectorAll(".countdown")) {
  const tick = () => {
    const left = Math.max(0, Math.floor(Number(place.dataset.until) - Date.now() / 1000));
    const parts = { minutes: Math.floor(left / 60), seconds: String(left % 60).padStart(2, "0") };
    place.textContent = left ? place.dataset.left.replace(/\{(\w+)\}/g, (_, name) => parts[name]) : place.dataset.over;
    if (left) setTimeout(tick, 1000);
  };
  // A clock that is far off would count nonsense.
  if (Number(place.dataset.until) - Date.now() / 1000 < 900) tick();
}

for (const form of document.querySelectorAll("form")) {
  let sent = false;
  form.addEventListener("submit", (event) => {
    if (sent) event.preventDefault();
    sent = true;
    form.querySelectorAll("button").forEach((button) => button.setAttribute("aria-disabled", "true"));
  });
  window.addEventListener("pageshow", () => {
    sent = false;
    form.querySelectorAll("button").forEach((button) => button.removeAttribute("aria-disabled"));
  });
}
