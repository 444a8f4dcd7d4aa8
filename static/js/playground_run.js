// The playground's buttons: run, again, stop. Where streams cannot be had, the page asks as forms always did.
(() => {
  const ours = window.galleyTry;
  if (!ours) return;
  const { form, running, columns, say, begin, told, listen } = ours;
  let plainly = false;

  // Nothing is lost but the streaming: the page comes back with every answer on it.
  function ask_plainly(button) {
    if (plainly) return;
    plainly = true;
    for (const [column, control] of running) {
      control.abort();
      say(column, "waiting", "Asking without a stream, which takes a moment…");
    }
    form.requestSubmit(button);
  }

  async function ask(column, place, times, button) {
    running.get(column)?.abort();
    const control = new AbortController();
    running.set(column, control);
    const run = begin(column, times);
    const mine = () => running.get(column) === control;
    const body = window.galleyFields(form);
    body.set("at", place);
    body.set("times", times);
    try {
      const answer = await reach(body, control, button);
      if (answer) {
        await listen(answer.body, (name, data) => {
          run.ended ||= ["end", "spread", "error"].includes(name);
          if (run.ended) clearInterval(run.clock);
          if (mine()) told[name]?.(column, run, data);
        });
        if (!run.ended && mine()) throw new Error("cut");
      }
    } catch {
      if (mine()) lost(column, control);
    } finally {
      clearInterval(run.clock);
      if (mine()) running.delete(column);
    }
  }

  async function reach(body, control, button) {
    try {
      const answer = await fetch(form.dataset.stream, { method: "POST", body, credentials: "include", signal: control.signal });
      if (answer.ok && !answer.redirected) return answer;
    } catch (error) {
      if (control.signal.aborted) throw error;
    }
    ask_plainly(button);
    return null;
  }

  function lost(column, control) {
    if (plainly) return;
    if (control.signal.aborted) say(column, "stopped", "Stopped. What was asked for is booked all the same.");
    else say(column, "failed", "The connection was lost. What had come is above; the trace tells the rest.");
  }

  form.addEventListener("submit", (event) => {
    const button = event.submitter;
    const again = button?.hasAttribute("data-try-again");
    if (plainly || !(again || button?.hasAttribute("data-try-run"))) return;
    event.preventDefault();
    document.getElementById("try-diff").replaceChildren();
    const times = again ? Number(document.querySelector("[name=again]").value) : 1;
    columns().forEach((column, place) => ask(column, place, times, button));
  });

  document.addEventListener("click", (event) => {
    const column = event.target.closest("[data-try-stop]")?.closest("[data-try-column]");
    if (column) running.get(column)?.abort();
  });
  // Who leaves the page wants no more of it.
  window.addEventListener("pagehide", () => running.forEach((control) => control.abort()));
  // Back again with the answers of a plain page still on it.
  window.addEventListener("pageshow", () => { plainly = false; });
})();
