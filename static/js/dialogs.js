// Dialogs: data-dialog-open names one, data-dialog-close shuts the one around it, and hx-confirm asks through ours.
(() => {
  document.addEventListener("click", (event) => {
    const opener = event.target.closest("[data-dialog-open]");
    if (opener) {
      const dialog = document.getElementById(opener.dataset.dialogOpen);
      if (dialog && !dialog.open) {
        dialog.dispatchEvent(new CustomEvent("galley:dialog"));
        dialog.showModal();
      }
      return;
    }
    if (event.target.closest("[data-dialog-close]")) event.target.closest("dialog")?.close();
    // A click on the backdrop has the dialog itself as its target; inside, some child is hit.
    else if (event.target.matches("dialog.g-dialog[open]") && outside(event)) event.target.close();
  });

  function outside(event) {
    const box = event.target.getBoundingClientRect();
    return event.clientX < box.left || event.clientX > box.right
      || event.clientY < box.top || event.clientY > box.bottom;
  }

  // A dangerous form is sent once, and an htmx answer closes the dialog that asked for it.
  document.addEventListener("submit", (event) => {
    const form = event.target.closest("dialog.g-dialog form[method=post]");
    if (!form) return;
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "true";
  });
  document.addEventListener("htmx:afterRequest", (event) => {
    const dialog = event.detail.elt.closest?.("dialog.g-dialog");
    if (!dialog) return;
    for (const form of dialog.querySelectorAll("form")) delete form.dataset.sent;
    if (event.detail.successful) dialog.close();
  });
  window.addEventListener("pageshow", () => {
    for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
  });

  document.addEventListener("htmx:confirm", (event) => {
    const dialog = document.getElementById("confirm-dialog");
    if (!event.detail.question || !dialog) return;
    event.preventDefault();
    dialog.querySelector("[data-confirm-text]").textContent = event.detail.question;
    const yes = dialog.querySelector("[data-confirm-yes]");
    const go = () => { event.detail.issueRequest(true); dialog.close(); };
    yes.addEventListener("click", go, { once: true });
    dialog.addEventListener("close", () => yes.removeEventListener("click", go), { once: true });
    dialog.showModal();
  });
})();
