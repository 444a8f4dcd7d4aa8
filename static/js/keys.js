// Keys: an element says data-key="e", "g p" or "mod+s"; pressing it clicks the element, or focuses it when it is a field.
(() => {
  const CAPS = { mod: navigator.platform.startsWith("Mac") ? "⌘" : "Ctrl", enter: "↵", escape: "Esc",
    arrowleft: "←", arrowright: "→", arrowup: "↑", arrowdown: "↓", space: "Space" };
  const FIELDS = "input:not([type=checkbox], [type=radio], [type=button], [type=submit]), textarea, select, [contenteditable=true]";
  let pending = "";
  let timer;

  function visible(element) {
    return !element.disabled && element.checkVisibility();
  }

  function keyed() {
    const open = [...document.querySelectorAll("dialog[open]")].at(-1);
    const found = new Map();
    // The first to claim a key has it; inside an open dialog nothing outside can be reached.
    for (const element of (open || document).querySelectorAll("[data-key]")) {
      if (!found.has(element.dataset.key) && visible(element)) found.set(element.dataset.key, element);
    }
    return found;
  }

  function pressed(event) {
    const key = event.key === " " ? "space" : event.key.length > 1 ? event.key.toLowerCase() : event.key;
    return event.ctrlKey || event.metaKey ? `mod+${key.toLowerCase()}` : key;
  }

  function act(element) {
    if (element.matches(FIELDS)) {
      element.focus();
      element.select?.();
    } else {
      element.click();
    }
  }

  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.altKey || event.isComposing) return;
    const key = pressed(event);
    if (event.target.closest(FIELDS) && !key.startsWith("mod+")) return;
    // Enter and space belong to the control that has the focus.
    if (["enter", "space"].includes(key) && event.target.closest("button, a, summary, [role=button]")) return;
    const all = keyed();
    const sequence = pending ? `${pending} ${key}` : key;
    const element = all.get(sequence) || all.get(key);
    clearTimeout(timer);
    pending = "";
    if (element) {
      event.preventDefault();
      act(element);
    } else if ([...all.keys()].some((known) => known.startsWith(`${key} `))) {
      pending = key;
      timer = setTimeout(() => { pending = ""; }, 1200);
    }
  });

  function caps(keys) {
    return keys.split(/[+ ]/).filter(Boolean).map((key) => {
      const cap = document.createElement("kbd");
      cap.textContent = CAPS[key] || (key.length > 1 ? key[0].toUpperCase() + key.slice(1) : key);
      return cap;
    });
  }

  document.addEventListener("DOMContentLoaded", () => {
    const sheet = document.getElementById("key-sheet");
    sheet?.addEventListener("galley:dialog", () => {
      const rows = [...keyed()].filter(([, element]) => element.dataset.keyLabel).flatMap(([keys, element]) => {
        const term = document.createElement("dt");
        term.append(...caps(keys));
        const label = document.createElement("dd");
        label.textContent = element.dataset.keyLabel;
        return [term, label];
      });
      sheet.querySelector("[data-key-list]").replaceChildren(...rows);
    });
  });
})();
