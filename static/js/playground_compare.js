// Two answers of the playground, word by word: press Differences on one, then on another.
(() => {
  const form = document.querySelector("[data-try-form]");
  if (!form) return;
  let first = null;

  function answer(button) {
    const group = button.closest(".try-group");
    const column = button.closest("[data-try-column]");
    const source = column.querySelector("[data-try-source]").selectedOptions[0].textContent.trim();
    const box = group?.querySelector("[data-try-group]") || column.querySelector("[data-try-answer]");
    return { text: box.textContent, label: [source, button.dataset.label].filter(Boolean).join(", ") };
  }

  function release() {
    first?.button.setAttribute("aria-pressed", "false");
    first = null;
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-try-compare]");
    if (!button) return;
    const chosen = { ...answer(button), button };
    if (!first || !first.button.isConnected) {
      first = chosen;
      button.setAttribute("aria-pressed", "true");
      window.galleyToast("info", "Now press Differences on the answer to compare it with.");
      return;
    }
    if (first.button !== button) show(first, chosen);
    release();
  });

  function show(one, other) {
    const place = document.getElementById("try-diff");
    window.htmx.ajax("POST", form.dataset.diff, {
      target: place,
      swap: "innerHTML show:top",
      values: { one: one.text, other: other.text, one_label: one.label, other_label: other.label },
    });
  }
})();
