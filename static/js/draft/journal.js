// A copy of unsaved words in this browser: it outlives a closed tab, a dead battery and an hour without a network.
(() => {
  const D = window.GalleyDraft;
  if (!D) return;
  const PREFIX = `galley:draft:${D.form.dataset.saveUrl}:`;
  const ASIDE = `galley:aside:${D.form.dataset.saveUrl}:`;
  const tab = crypto.getRandomValues(new Uint32Array(2)).join("");
  let timer;
  D.isKept = true; // whether the copy could be written

  // While this tab lives nobody takes its copy for a lost one.
  navigator.locks?.request(PREFIX + tab, () => new Promise(() => {}));

  function write(key, value) {
    try {
      localStorage.setItem(key, JSON.stringify(value));
      return true;
    } catch {
      return false;
    }
  }

  function read(key) {
    try {
      return JSON.parse(localStorage.getItem(key));
    } catch {
      return null;
    }
  }

  const now = () => ({ at: Date.now(), draft: D.form.dataset.draft, revision: Number(D.field("revision").value), entries: D.entries() });
  D.keep = () => {
    clearTimeout(timer);
    timer = undefined;
    D.isKept = write(PREFIX + tab, now());
    return D.isKept;
  };
  D.forget = () => { clearTimeout(timer); timer = undefined; localStorage.removeItem(PREFIX + tab); };
  D.forgetAll = () => Object.keys(localStorage).filter((key) => key.startsWith(PREFIX)).forEach((key) => localStorage.removeItem(key));
  // Texts that gave way to others, each on its own: says whether there was room for one more.
  D.setAside = (entries, why) => write(`${ASIDE}${Date.now()}-${tab}`, { at: Date.now(), entries, why });
  D.asides = () => Object.keys(localStorage).filter((key) => key.startsWith(ASIDE))
    .map((key) => ({ ...read(key), key })).filter((one) => one.entries).sort((a, b) => b.at - a.at);
  D.drop = (key) => localStorage.removeItem(key);

  // The newest copy of a tab that is gone and says something else than the page.
  D.lost = async () => {
    const held = new Set((await navigator.locks?.query())?.held.map((lock) => lock.name));
    const shown = D.essence(D.entries());
    const found = [];
    for (const key of Object.keys(localStorage).filter((one) => one.startsWith(PREFIX) && !held.has(one) && one !== PREFIX + tab)) {
      const copy = read(key);
      if (!navigator.locks && copy && Date.now() - copy.at < 15000) continue;
      if (copy && D.essence(copy.entries) !== shown) found.push({ ...copy, key });
      else localStorage.removeItem(key);
    }
    return found.sort((a, b) => b.at - a.at)[0];
  };

  D.on("changed", () => { timer ??= setTimeout(D.keep, 250); });
  window.addEventListener("pagehide", () => { if (timer) D.keep(); });
})();
