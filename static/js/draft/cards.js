// Cards: added, taken away (and brought back), moved by hand, by buttons and by arrow keys.
(() => {
  const D = window.GalleyDraft;
  if (!D) return;
  const list = document.getElementById("draft-cards");

  D.number = () => {
    for (const [at, card] of D.cards().entries()) {
      const name = at + 1;
      const words = { handle: `Drag card ${name}, or move it with the arrow keys`, up: `Move card ${name} up`, down: `Move card ${name} down`, remove: `Remove card ${name}` };
      card.querySelector("[data-card-handle]")?.setAttribute("aria-label", words.handle);
      for (const button of card.querySelectorAll("[data-card-op]")) button.setAttribute("aria-label", words[button.dataset.cardOp]);
      card.querySelector("select[name=role]")?.setAttribute("aria-label", `Role of message ${name}`);
      D.label?.(card, `Text of message ${name}`);
    }
    const add = document.querySelector("[data-card-add=examples]");
    if (add) add.hidden = Boolean(list.querySelector("[data-card=examples]"));
  };

  function add(kind) {
    const card = D.copy(`card-${kind}`);
    const last = D.cards().at(-1);
    if (kind === "message") card.querySelector("[name=role]").value = last?.querySelector("[name=role]")?.value === "user" ? "assistant" : "user";
    if (kind === "placeholder") card.querySelector("[name=placeholder]").value = freeName();
    if (kind === "examples") card.querySelector("tbody").append(D.copy("example-row"));
    // Examples stand before what the user says now.
    if (kind === "examples" && last) last.before(card);
    else list.append(card);
    D.settle();
    card.scrollIntoView({ block: "nearest" });
    D.focus(card);
  }

  function freeName() {
    const taken = D.items().map((item) => item.name);
    return ["history", ...Array.from({ length: 99 }, (_, n) => `history_${n + 2}`)].find((name) => !taken.includes(name));
  }

  function remove(card) {
    if (D.cards().length < 2) return window.galleyToast("info", "A prompt needs one message.");
    const note = document.createElement("li");
    note.className = "g-draft-removed";
    note.append("Taken away. ");
    const undo = Object.assign(document.createElement("button"), { type: "button", className: "btn btn-sm", textContent: "Bring it back" });
    note.append(undo);
    card.before(note);
    card.remove();
    D.settle();
    undo.focus();
    const timer = setTimeout(() => note.remove(), 20000);
    undo.addEventListener("click", () => { clearTimeout(timer); note.replaceWith(card); D.settle(); D.focus(card); });
  }

  function move(card, step) {
    const all = D.cards();
    const other = all[all.indexOf(card) + step];
    if (!other) return;
    if (step < 0) other.before(card);
    else other.after(card);
    D.settle();
  }

  D.settle = () => {
    D.say("cards");
    D.number();
    D.changed();
  };

  D.form.addEventListener("click", (event) => {
    const adds = event.target.closest("[data-card-add]");
    const op = event.target.closest("[data-card-op]");
    if (!adds && !op) return;
    event.preventDefault();
    if (adds) return add(adds.dataset.cardAdd);
    const card = op.closest("[data-card]");
    if (op.dataset.cardOp === "remove") return remove(card);
    move(card, op.dataset.cardOp === "up" ? -1 : 1);
    op.focus();
  });
  list.addEventListener("keydown", (event) => {
    const handle = event.target.closest("[data-card-handle]");
    const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (!handle || !step) return;
    event.preventDefault();
    move(handle.closest("[data-card]"), step);
    handle.focus();
  });
  D.on("rebuilt", D.number);
})();
