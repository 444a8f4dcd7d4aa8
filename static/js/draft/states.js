// The words at the foot of the page: how old what is saved is, or why it is not. Screen readers hear changes, not seconds.
(() => {
  const D = window.GalleyDraft;
  if (!D) return;
  const place = document.getElementById("draft-saved");
  let words = "";
  D.savedAt = Date.parse(D.form.dataset.saved);

  D.status = (tone, text) => {
    if (text === words) return;
    words = text;
    const mark = D.copy(`state-${tone}`);
    mark.querySelector("span:last-child").textContent = text;
    place.replaceChildren(mark);
  };

  D.sayAge = () => {
    if (!D.isSaved() || D.isTrying() || D.isStopped() || "refused" in D.form.dataset) return;
    const seconds = Math.max(0, Math.round((Date.now() - D.savedAt) / 1000));
    const age = seconds < 60 ? `${seconds} s ago` : seconds < 3600 ? `${Math.round(seconds / 60)} min ago` : `${Math.round(seconds / 3600)} h ago`;
    if (words !== "Saved") {
      D.status("good", "Saved");
      place.firstElementChild.append(Object.assign(document.createElement("span"), { ariaHidden: "true" }));
    }
    place.firstElementChild.lastElementChild.textContent = age;
  };

  setInterval(D.sayAge, 1000);
})();
