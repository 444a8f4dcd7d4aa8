// Two tabs on one draft, and words that a closed tab left behind: both texts are shown, a person chooses, none is lost.
(() => {
  const D = window.GalleyDraft;
  if (!D) return;
  const conflict = document.getElementById("draft-conflict");
  const recovered = document.getElementById("draft-recovered");
  let theirs, found;

  const clock = (at) => new Date(at).toLocaleString([], { hour: "2-digit", minute: "2-digit", day: "numeric", month: "short" });

  async function compare(name, entries) {
    const dialog = document.getElementById("compare-dialog");
    dialog.querySelector("[data-compare-left]").textContent = name;
    dialog.showModal();
    await window.galleyLoad("codemirror");
    const place = dialog.querySelector("[data-compare]");
    place.replaceChildren();
    window.GalleyEditor.merge(place, {
      before: D.flat(entries), after: D.flat(D.entries()), nonce: window.galleyNonce(),
      unified: window.innerWidth < 768, attributes: { "aria-label": "The two texts" },
    });
  }

  D.on("conflict", (saved) => {
    theirs = saved;
    conflict.querySelector("[data-conflict-at]").textContent = clock(saved.at);
    conflict.hidden = false;
    conflict.scrollIntoView({ block: "center" });
  });
  conflict.addEventListener("click", (event) => {
    const choice = event.target.closest("[data-conflict]")?.dataset.conflict;
    if (!choice) return;
    const other = D.entriesOf(theirs);
    if (choice === "compare") return compare("What the other tab saved", other);
    const isMine = choice === "mine";
    const aside = isMine ? D.setAside(other, "The text of the other tab is set aside in this browser.")
      : D.setAside(D.entries(), "The text that stood here is set aside in this browser.");
    if (!aside) return noRoom();
    conflict.hidden = true;
    if (!isMine) D.write(other);
    D.resume(theirs.revision, !isMine);
    showAside();
  });

  // What would be lost otherwise stays where it is.
  const noRoom = () => window.galleyToast("error", "This browser has no room to keep the text that would give way. Open Compare, copy what you need of it, and make room.");

  function offer(copy, title, text) {
    found = copy;
    recovered.querySelector("[data-recovered-title]").textContent = title;
    recovered.querySelector("[data-recovered-text]").textContent = text;
    recovered.hidden = false;
  }

  function showAside() {
    const [newest, ...older] = D.asides();
    if (newest) offer(newest, newest.why, `From ${clock(newest.at)}.${older.length ? ` ${older.length} more behind it.` : ""}`);
  }

  recovered.addEventListener("click", (event) => {
    const choice = event.target.closest("[data-recovered]")?.dataset.recovered;
    if (!choice) return;
    if (choice === "compare") return compare("The text that was kept", found.entries);
    const { key, entries } = found;
    if (choice === "use" && !D.setAside(D.entries(), "The text that stood here before is set aside in this browser.")) return noRoom();
    recovered.hidden = true;
    D.drop(key);
    if (choice === "use") D.write(entries);
    showAside();
  });

  D.on("mounted", async function once() {
    if (conflict.dataset.asked) return;
    conflict.dataset.asked = "true";
    const copy = await D.lost();
    if (!copy) return showAside();
    const isNext = copy.draft === D.form.dataset.draft && copy.revision === Number(D.field("revision").value);
    if (!isNext) return offer(copy, "This browser kept words that were never saved.", `They are from ${clock(copy.at)}; the draft was saved since.`);
    // Nobody wrote in between: the words go on where they stopped.
    D.drop(copy.key);
    D.write(copy.entries);
    window.galleyToast("success", `Your words from ${clock(copy.at)} are back: they were kept in this browser.`);
  });
})();
