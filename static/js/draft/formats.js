// Another template format: the server tells how each text is spelled there and what has no match, a person decides.
(() => {
  const D = window.GalleyDraft;
  if (!D) return;
  const select = D.field("format");
  const dialog = document.getElementById("format-dialog");
  let before = select.value, answer;

  select.addEventListener("draft:set", () => { before = select.value; });
  select.addEventListener("change", async () => {
    const body = D.body();
    body.set("format", before);
    body.set("to", select.value);
    try {
      const response = await fetch(D.form.dataset.convertUrl, { method: "POST", body, headers: { Accept: "application/json" } });
      answer = response.redirected ? null : await response.json();
    } catch {
      answer = null;
    }
    if (!answer?.messages) { settle("switch"); return; }
    const texts = D.items().filter((item) => item.type === "message").map((item) => item.content);
    const count = answer.messages.filter((text, at) => text !== texts[at]).length;
    if (!count && !answer.unfit.length) { settle("switch"); return; }
    const words = count ? `The variables of ${count} ${count === 1 ? "message" : "messages"} can be written the new way.` : "The variables are written the same way.";
    const rest = answer.unfit.length ? " This has no match there and stays as it is:" : "";
    dialog.querySelector("[data-format-text]").textContent = words + rest;
    dialog.querySelector("[data-format-unfit]").replaceChildren(...answer.unfit.map((text) => Object.assign(document.createElement("li"), { textContent: text })));
    dialog.showModal();
  });

  function settle(choice) {
    if (choice === "cancel") select.value = before;
    if (choice === "convert") {
      const cards = D.cards().filter((card) => card.dataset.card === "message");
      for (const [at, card] of cards.entries()) D.editor(card).setText(answer.messages[at]);
      const rows = [...D.form.querySelectorAll("[data-examples] tbody tr")].filter((row) => [...row.querySelectorAll("textarea")].some((field) => field.value));
      for (const [at, row] of rows.entries()) {
        row.querySelector("[name=example-input]").value = answer.examples[at].input;
        row.querySelector("[name=example-output]").value = answer.examples[at].output;
      }
    }
    before = select.value;
    D.paint();
    D.changed();
  }

  dialog.addEventListener("click", (event) => {
    const choice = event.target.closest("[data-format-choice]")?.dataset.formatChoice;
    if (!choice) return;
    dialog.close();
    settle(choice);
  });
  dialog.addEventListener("cancel", () => settle("cancel"));
})();
