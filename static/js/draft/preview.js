// The preview follows the hand: filled here in the next frame where that is exact, else by the server at every short pause.
(() => {
  const D = window.GalleyDraft;
  if (!D) return;
  const PAUSE = 50;
  const box = document.querySelector("#draft-preview [data-preview-messages]");
  const problem = document.querySelector("#draft-preview [data-preview-problem]");
  let frame, timer, asking, again;

  function paint(messages, words) {
    while (box.children.length > messages.length) box.lastElementChild.remove();
    for (const [at, message] of messages.entries()) {
      const node = box.children[at] || box.appendChild(D.copy("preview-message"));
      const [role, text] = node.children;
      if (role.textContent !== message.role) {
        role.textContent = message.role;
        node.setAttribute("aria-label", `${message.role} message`);
      }
      if (text.textContent !== message.content) text.textContent = message.content;
    }
    problem.hidden = !words;
    problem.querySelector("p").textContent = words || "";
  }

  // What the server saw of the text: of the newest only.
  D.see = (seen) => {
    Object.assign(D.state, seen);
    box.dataset.by = "server";
    // With a mistake in the text the last good preview stays, and the mistake is said above it.
    if (seen.problem) paint([...box.children].map((node) => ({ role: node.children[0].textContent, content: node.children[1].textContent })), seen.problem);
    else paint(seen.preview, "");
    if (!seen.problem) D.follow(seen.names);
    D.say("seen");
  };

  function follow() {
    frame = undefined;
    const local = D.rendered();
    if (!local) {
      clearTimeout(timer);
      timer = setTimeout(ask, PAUSE);
      return;
    }
    clearTimeout(timer);
    box.dataset.by = "browser";
    paint(local.messages, "");
    D.follow(local.names);
    // What could be filled has no mistake any more; advice stays until the server has read the new text.
    const advice = D.state.findings.filter((one) => one.tone !== "bad");
    if (advice.length < D.state.findings.length) { D.state.findings = advice; D.say("seen"); }
  }

  async function ask() {
    if (asking) { again = true; return; }
    asking = true;
    const at = D.typed;
    try {
      const answer = await fetch(D.form.dataset.previewUrl, {
        method: "POST", body: D.body(), headers: { Accept: "application/json" }, signal: AbortSignal.timeout(15000),
      });
      if (answer.ok && !answer.redirected && at === D.typed) D.see(await answer.json());
    } catch {
      // Without a network the preview waits; saving says so.
    }
    asking = false;
    if (again || at !== D.typed) { again = false; timer = setTimeout(ask, PAUSE); }
  }

  D.body = () => {
    const body = window.galleyFields(D.form);
    body.delete("message");
    return body;
  };
  D.on("changed", () => { frame ??= requestAnimationFrame(follow); });
  D.field("inputs").addEventListener("change", () => { frame ??= requestAnimationFrame(follow); });
})();
