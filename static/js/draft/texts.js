// CodeMirror over the cards' textareas and over the JSON fields; the textareas keep the values, so the form is a form.
(() => {
  const D = window.GalleyDraft;
  if (!D) return;
  const editors = new WeakMap();
  let last;
  let mounting = Promise.resolve();

  D.editor = (card) => editors.get(card);
  D.editors = () => D.cards().map((card) => [card, editors.get(card)]);
  D.label = (card, words) => {
    card.querySelector("textarea[name=content]")?.setAttribute("aria-label", words);
    editors.get(card)?.setLabel(words);
  };
  D.focus = async (card) => {
    await mounting.catch(() => undefined);
    const editor = editors.get(card);
    if (editor) editor.view.focus();
    else card.querySelector("textarea, input:not([type=hidden])")?.focus();
  };
  // Puts a text where the hand was last, else at the end of the last message.
  D.insert = (text) => {
    const card = last?.isConnected ? last : D.cards().filter((one) => editors.has(one)).at(-1);
    editors.get(card)?.insert(text);
  };
  D.spelled = (name) => (D.field("format").value === "fstring" ? `{${name}}` : `{{${name}}}`);

  function holder(area) {
    const parent = document.createElement("div");
    parent.className = "g-editor-view";
    area.after(parent);
    area.hidden = true;
    return parent;
  }

  function mountText(card) {
    const area = card.querySelector("[data-draft-text] textarea");
    if (!area || editors.has(card)) return;
    const editor = window.GalleyEditor.prompt(holder(area), {
      doc: area.value,
      nonce: window.galleyNonce(),
      known: D.known(),
      format: D.field("format").value,
      references: byTag(),
      findings: true,
      names: () => D.names(),
      spelling: () => D.field("format").value,
      attributes: { "aria-label": area.getAttribute("aria-label"), spellcheck: "true", dir: "auto" },
      onEnter: () => { document.querySelector("[data-draft-try]")?.click(); return true; },
      onPaste: (event) => D.pasted?.(event, card),
      onChange(text) {
        area.value = text;
        D.changed();
      },
    });
    editors.set(card, editor);
    editor.view.contentDOM.addEventListener("focus", () => { last = card; });
    area.addEventListener("draft:set", () => editor.setText(area.value));
  }

  function mountJson(place) {
    const area = place.querySelector("textarea");
    const editor = window.GalleyEditor.data(holder(area), {
      doc: area.value,
      nonce: window.galleyNonce(),
      placeholder: area.placeholder,
      attributes: { "aria-label": area.getAttribute("aria-label") },
      onChange(text) {
        area.value = text;
        D.changed();
      },
    });
    area.addEventListener("draft:set", () => editor.setText(area.value));
  }

  const byTag = () => Object.fromEntries(D.state.references.map((one) => [one.tag, one]));

  // Chips are painted anew only when what they show has changed.
  let shown = "";
  D.paint = () => {
    const now = { known: D.known(), format: D.field("format").value, references: byTag() };
    const key = JSON.stringify(now);
    if (key === shown) return;
    shown = key;
    for (const [, editor] of D.editors()) editor?.show(now);
  };

  async function mount() {
    await window.galleyLoad("codemirror");
    D.cards().forEach(mountText);
    D.number();
    D.say("mounted");
  }

  const mountAll = () => { mounting = mount(); };
  D.on("cards", mountAll);
  D.on("rebuilt", mountAll);
  D.on("seen", () => D.paint());
  window.galleyLoad("codemirror").then(() => document.querySelectorAll("[data-draft-json]").forEach(mountJson));
  document.addEventListener("DOMContentLoaded", mountAll);
})();
