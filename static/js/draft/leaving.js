// Leaving the page: the last words are sent along, a version is made of what is saved, a discarded draft leaves no copy.
(() => {
  const D = window.GalleyDraft;
  if (!D) return;

  window.addEventListener("pagehide", () => {
    if (!D.isSaved() && !D.isStopped()) fetch(D.form.dataset.saveUrl, { method: "POST", body: D.body(), headers: { Accept: "application/json" }, keepalive: true }).catch(() => {});
  });
  window.addEventListener("beforeunload", (event) => { if (!D.isSaved() && !D.keep()) event.preventDefault(); });
  // A version is made of what is saved: first that, then the form goes.
  D.form.addEventListener("submit", async (event) => {
    if (event.submitter?.name === "op" || D.form.dataset.sending) return;
    event.preventDefault();
    if (!D.field("message").value.trim()) {
      D.field("message").focus();
      return window.galleyToast("info", "Say in a few words what changed, then save the version.");
    }
    if (!(await D.settled())) return window.galleyToast("error", "The text could not be saved, so no version was made.");
    D.form.dataset.sending = "true";
    D.form.requestSubmit(D.form.querySelector("[data-draft-version]"));
  });
  window.addEventListener("pageshow", () => { delete D.form.dataset.sending; });
  document.addEventListener("submit", (event) => {
    if (!event.target.action.endsWith("/draft/discard/")) return;
    D.abandon();
    D.forgetAll();
  });
  document.addEventListener("click", async (event) => {
    const tries = document.querySelector("a[data-draft-try]")?.href;
    const link = event.target.closest("a");
    if (!link || (link.href !== tries && !("draftTry" in link.dataset)) || D.isSaved() || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    if (await D.settled()) location.assign(link.href);
    else window.galleyToast("error", "The text could not be saved yet, so there is nothing new to try.");
  });
})();
