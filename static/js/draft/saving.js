// Autosave: after every short pause, never in the way. Without a network it waits longer each time, says so, and goes on.
(() => {
  const D = window.GalleyDraft;
  if (!D) return;
  const QUIET = 600;
  const LONGEST = 60000;
  let kept = 0, busy = null, timer, failures = 0, stopped = false;
  const unanswered = new Set(); // what was sent and may have arrived, though no answer came back

  D.isSaved = () => kept === D.typed;
  D.isStopped = () => stopped;
  D.isTrying = () => failures > 0;
  D.abandon = () => { kept = D.typed; stopped = true; clearTimeout(timer); };
  D.plan = (delay = QUIET) => {
    clearTimeout(timer);
    if (!stopped) timer = setTimeout(D.save, delay);
  };

  D.save = async () => {
    clearTimeout(timer);
    if (busy) { await busy; return D.isSaved() || D.save(); }
    busy = send();
    const done = await busy;
    busy = null;
    if (done && !D.isSaved()) D.plan();
    return done;
  };

  // Waits for what is under way, saves what is not, and says whether everything is kept.
  D.settled = async () => {
    if (busy) await busy;
    return D.isSaved() || D.save();
  };

  async function send() {
    const [at, sent] = [D.typed, D.mark(D.entries())];
    let answer, told;
    const slow = failures ? 0 : setTimeout(() => D.status("active", "Saving…"), 1200);
    try {
      answer = await fetch(D.form.dataset.saveUrl, { method: "POST", body: D.body(), headers: { Accept: "application/json" }, signal: AbortSignal.timeout(20000) });
      if (answer.headers.get("Content-Type")?.includes("json")) told = await answer.json();
    } catch {
      unanswered.add(sent);
      return later("away", "Not saved: no connection. Your text is kept in this browser.");
    } finally {
      clearTimeout(slow);
    }
    // Who is signed out is led to a page that answers in JSON too: only an answer with a revision is one of a save.
    if (answer.ok && !answer.redirected && told?.revision) return saved(told, at);
    if (answer.status === 409 && told?.theirs && unanswered.has(D.mark(D.entriesOf(told.theirs)))) {
      // Nobody else wrote: this is what we sent when the answer was lost.
      unanswered.clear();
      D.field("revision").value = told.theirs.revision;
      return send();
    }
    if (answer.status === 409 && told) { stopped = true; D.status("bad", "Not saved: another tab saved first. Choose above."); D.say("conflict", told.theirs); return false; }
    if (answer.status === 422 && told) return refused(told.error);
    if (answer.status === 400 || answer.status === 413) return refused("This is more text than fits. At most 1 MB can be kept.");
    if (answer.status === 404) return refused("This draft became a version or was discarded elsewhere. Reload the page to go on with this text.");
    if (answer.redirected || answer.status === 403) return later("bad", "Not saved: you are signed out. Your text is kept in this browser; sign in in another tab.");
    unanswered.add(sent); // it may have been kept before the answer broke
    return later("away", "Not saved: the server did not answer. Your text is kept in this browser.");
  }

  function saved(told, at) {
    [kept, failures] = [at, 0, unanswered.clear()];
    D.savedAt = Date.now();
    delete D.form.dataset.refused;
    D.field("revision").value = told.revision;
    document.getElementById("draft-weight").textContent = told.weight;
    document.getElementById("draft-weight").title = told.assumption;
    D.say("saved", told);
    if (D.isSaved()) { D.forget(); D.see(told); } else { D.state.references = told.references; D.keep(); }
    D.sayAge();
    return true;
  }

  function refused(why) {
    D.status("bad", `Not saved: ${why} ${keptWords()}`);
    return false;
  }

  function later(tone, text) {
    failures += 1;
    D.status(tone, D.keep() ? text : text.replace("Your text is kept in this browser", "This browser has no room for a copy, so leave this page open"));
    D.plan(Math.min(1000 * 2 ** failures, LONGEST) * (0.8 + Math.random() * 0.4));
    return false;
  }

  const keptWords = () => (D.keep() ? "Your text is kept in this browser." : "Leave this page open: this browser has no room for a copy.");
  D.resume = (revision, isSame) => {
    stopped = false;
    D.field("revision").value = revision;
    if (isSame) { kept = D.typed; D.savedAt = Date.now(); D.forget(); }
    D.plan(0);
  };

  D.on("changed", () => { if (!failures) D.plan(); });
  window.addEventListener("online", () => { if (!D.isSaved()) D.plan(0); });
})();
