// The prompt editor: CodeMirror over a textarea, which keeps the value, so forms and htmx work as they always do.
(() => {
  const editors = new WeakMap();

  const read = (text) => {
    try {
      return JSON.parse(text);
    } catch {
      return null;
    }
  };

  async function mount(holder) {
    if (holder.dataset.mounted) return;
    holder.dataset.mounted = "true";
    const area = holder.querySelector("textarea");
    await window.galleyLoad("codemirror");
    const label = area.getAttribute("aria-label") || area.labels?.[0]?.textContent.trim() || "Prompt text";
    const parent = document.createElement("div");
    parent.className = "g-editor-view";
    holder.append(parent);
    let timer;
    const quiet = Number(holder.dataset.autosave || 0);
    const editor = window.GalleyEditor.prompt(parent, {
      doc: area.value,
      nonce: window.galleyNonce(),
      known: read(holder.dataset.known || "null"),
      placeholder: area.placeholder,
      readOnly: area.readOnly || "readonly" in holder.dataset,
      attributes: { "aria-label": label, spellcheck: "true" },
      onChange(text) {
        area.value = text;
        area.dispatchEvent(new Event("input", { bubbles: true }));
        clearTimeout(timer);
        if (quiet) timer = setTimeout(() => area.dispatchEvent(new CustomEvent("galley:autosave", { bubbles: true })), quiet);
      },
    });
    area.hidden = true;
    editors.set(holder, editor);
  }

  async function mountMerge(holder) {
    if (holder.dataset.mounted) return;
    holder.dataset.mounted = "true";
    const text = (selector) => {
      const source = document.querySelector(selector);
      return source.value ?? source.content?.textContent ?? source.textContent;
    };
    await window.galleyLoad("codemirror");
    editors.set(holder, window.GalleyEditor.merge(holder, {
      before: text(holder.dataset.before),
      after: text(holder.dataset.after),
      nonce: window.galleyNonce(),
      unified: "unified" in holder.dataset || window.innerWidth < 768,
      attributes: { "aria-label": holder.getAttribute("aria-label") || "Changes" },
    }));
  }

  function scan(root) {
    for (const [selector, work] of [["[data-editor]", mount], ["[data-merge]", mountMerge]]) {
      if (root.matches?.(selector)) work(root);
      root.querySelectorAll(selector).forEach(work);
    }
  }

  document.addEventListener("DOMContentLoaded", () => scan(document));
  document.addEventListener("htmx:load", (event) => scan(event.target));
  document.addEventListener("htmx:beforeCleanupElement", (event) => editors.get(event.target)?.destroy());
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-editor-insert]");
    if (!button) return;
    const holder = document.getElementById(button.dataset.editorFor)?.closest("[data-editor]");
    editors.get(holder)?.insert(button.dataset.editorInsert);
  });
  // The page may learn of a new variable: set data-known anew and say galley:known on the holder.
  document.addEventListener("galley:known", (event) => {
    editors.get(event.target)?.setKnown(read(event.target.dataset.known || "null"));
  });
})();
