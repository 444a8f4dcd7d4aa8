// Who else writes here: asked for now and then, while somebody looks, and silent when nobody answers.
(() => {
  const D = window.GalleyDraft;
  if (!D) return;
  const EVERY = 20000;

  async function ask() {
    if (document.hidden) return;
    try {
      const answer = await fetch(D.form.dataset.companyUrl, { headers: { "HX-Request": "true" } });
      if (!answer.ok || answer.redirected) return;
      const shell = document.createElement("template");
      // Ours, rendered and escaped by the server.
      shell.innerHTML = await answer.text();
      const fresh = shell.content.querySelector("#draft-company");
      const shown = document.getElementById("draft-company");
      if (fresh && fresh.textContent !== shown.textContent) shown.replaceChildren(...fresh.childNodes);
    } catch {
      // Saving tells of a network that is gone; company can wait.
    }
  }

  setInterval(ask, EVERY);
  document.addEventListener("visibilitychange", ask);
})();
