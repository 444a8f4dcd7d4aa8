// Text from a word processor brings curly quotes, hard spaces and characters that nobody sees: they can be made plain.
(() => {
  const D = window.GalleyDraft;
  if (!D) return;
  const note = document.getElementById("draft-pasted");
  // Joiners and direction marks stay: Persian, Hindi and emoji are written with them.
  const ODD = /[\u2018-\u201f\u00a0\u2007\u202f\u200b\u2060\ufeff\u00ad\u0000]/g;
  const PLAIN = { "\u00a0": " ", "\u2007": " ", "\u202f": " " };
  let last;

  function plain(character) {
    if (/[\u201c-\u201f]/.test(character)) return '"';
    if (/[\u2018-\u201b]/.test(character)) return "'";
    return PLAIN[character] || "";
  }

  D.pasted = (event, card) => {
    const text = (event.clipboardData?.getData("text/plain") || "").replaceAll("\r\n", "\n");
    const count = text.match(ODD)?.length;
    if (!count) return;
    last = { card, text };
    note.querySelector("[data-pasted-text]").textContent = `The pasted text has ${count} ${count === 1 ? "character" : "characters"} of a word processor: curly quotes, hard spaces or invisible ones.`;
    note.hidden = false;
  };

  note.addEventListener("click", (event) => {
    const choice = event.target.closest("[data-pasted]")?.dataset.pasted;
    if (!choice) return;
    note.hidden = true;
    const editor = D.editor(last.card);
    const from = editor?.text().indexOf(last.text);
    if (choice === "clean" && from >= 0) {
      editor.view.dispatch({ changes: { from, to: from + last.text.length, insert: last.text.replace(ODD, plain) } });
      editor.view.focus();
    }
  });
})();
