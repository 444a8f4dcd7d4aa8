// The picker of other prompts: search, choose an environment, a label or a version, and the tag stands in the text.
(() => {
  const D = window.GalleyDraft;
  const dialog = document.getElementById("reference-dialog");
  if (!D || !dialog) return;
  const search = dialog.querySelector("[data-reference-search]");
  const choices = dialog.querySelector("[data-reference-choices]");
  let timer, asked = 0;

  async function load() {
    const number = ++asked;
    try {
      const answer = await fetch(`${search.dataset.url}?q=${encodeURIComponent(search.value)}`, { headers: { "HX-Request": "true" } });
      if (!answer.ok || answer.redirected) throw new Error(String(answer.status));
      const html = await answer.text();
      // Ours, rendered and escaped by the server.
      if (number === asked) choices.innerHTML = html;
    } catch {
      if (number === asked) choices.textContent = "The list could not be loaded. Check the connection.";
    }
  }

  function insert(tag) {
    if (!tag) return;
    dialog.close();
    D.insert(tag);
  }

  dialog.addEventListener("galley:dialog", () => { search.value = ""; load(); });
  search.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(load, 150); });
  choices.addEventListener("click", (event) => insert(event.target.closest("[data-reference-tag]")?.dataset.referenceTag));
  choices.addEventListener("change", (event) => { if (event.target.matches("[data-reference-version]")) insert(event.target.value); });
})();
