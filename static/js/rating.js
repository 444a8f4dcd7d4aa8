// The rating page: the lease kept while somebody looks, the seconds spent, focus on each new item, single keys on or off.
(() => {
  const SWITCH = "galley:rating-keys";
  const IDLE = 60_000;
  const FIELDS = "input, textarea, select";
  const find = (selector) => document.querySelector(selector);
  let active = 0;
  let lastMove = Date.now();
  let lastBeat = Date.now();

  function keysAreOff() {
    try {
      return localStorage.getItem(SWITCH) === "off";
    } catch {
      return false; // Storage may be forbidden; then the switch lasts for this page.
    }
  }
  let off = keysAreOff();

  // Single keys can be switched off, for speech input and for hands that brush the keyboard.
  window.addEventListener("keydown", (event) => {
    if (event.key === "Escape") closeSkip();
    if (event.key === "Escape" && event.target.matches(FIELDS)) event.target.blur();
    const single = event.key.length === 1 && event.key !== " " && !event.ctrlKey && !event.metaKey && !event.altKey;
    if (off && single && !event.target.closest(FIELDS)) event.stopPropagation();
  }, true);

  function closeSkip() {
    const skip = find("[data-skip][open]");
    if (!skip) return;
    skip.open = false;
    skip.querySelector("summary").focus();
  }

  document.addEventListener("toggle", (event) => {
    if (event.target.matches("[data-skip][open]")) event.target.querySelector("button:enabled").focus();
  }, true);

  document.addEventListener("click", (event) => {
    const skip = find("[data-skip][open]");
    if (skip && !skip.contains(event.target)) skip.open = false;
  });

  const holder = find("[data-keys-switch]");
  if (holder) {
    const box = holder.querySelector("input");
    holder.hidden = false;
    box.checked = !off;
    document.body.dataset.keys = off ? "off" : "on";
    box.addEventListener("change", () => {
      off = !box.checked;
      document.body.dataset.keys = off ? "off" : "on";
      try {
        localStorage.setItem(SWITCH, off ? "off" : "on");
      } catch { /* As above. */ }
    });
  }

  for (const sign of ["keydown", "pointermove", "pointerdown", "scroll", "touchstart"]) {
    window.addEventListener(sign, () => { lastMove = Date.now(); }, { passive: true, capture: true });
  }

  function beat() {
    const heart = find("[data-beat]");
    if (!heart || document.hidden || Date.now() - lastBeat < heart.dataset.beat * 1000) return;
    lastBeat = Date.now();
    heart.dispatchEvent(new CustomEvent("galley:beat"));
  }

  function tick() {
    if (!document.hidden && Date.now() - lastMove < IDLE) active += 1;
    const seconds = find("[data-seconds]");
    if (seconds) seconds.value = active;
    const lease = find("[data-lease]");
    if (lease) {
      const left = Math.max(0, Math.round((Date.parse(lease.dateTime) - Date.now()) / 1000));
      lease.textContent = left ? `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")} left` : "time is up, still welcome";
    }
    beat();
  }
  setInterval(tick, 1000);
  document.addEventListener("visibilitychange", beat);

  document.addEventListener("htmx:load", (event) => {
    if (event.detail.elt.id !== "task") return;
    active = 0;
    lastBeat = Date.now();
    window.scrollTo(0, 0);
    find("#task-title")?.focus({ preventScroll: true });
    tick();
  });
  tick();
})();
