// What is wrong or doubtful: underlined in its card, marked in the margin, and listed; a click leads to the place.
(() => {
  const D = window.GalleyDraft;
  if (!D) return;
  const card = document.getElementById("draft-findings");
  const list = card.querySelector("[data-findings]");

  function show() {
    const found = D.state.findings;
    for (const [at, [, editor]] of D.editors().entries()) editor?.setFindings(found.filter((one) => one.item === at && one.from != null));
    list.replaceChildren(...found.map((one) => {
      const row = D.copy("finding-row");
      row.querySelector(".g-status").dataset.tone = one.tone;
      row.querySelector(".g-status > span").textContent = one.text;
      row.querySelector("button").addEventListener("click", () => D.editors()[one.item]?.[1]?.select(one.from, one.to));
      return row;
    }));
    card.hidden = !found.length;
  }

  function sayProblems(problems) {
    for (const line of D.form.querySelectorAll("[data-problem]")) {
      const words = problems[line.dataset.problem];
      line.hidden = !words;
      line.textContent = words ? `Not kept yet: ${words}` : "";
    }
  }

  D.on("seen", show);
  D.on("mounted", show);
  D.on("saved", (answer) => sayProblems(answer.problems));
})();
