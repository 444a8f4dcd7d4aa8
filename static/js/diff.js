// Word diffs: n and p walk the changes of every diff on the page, in the order in which they are read.
(() => {
  let at = -1;

  const changes = () => [...document.querySelectorAll("[data-diff=''] ins, [data-diff=''] del, [data-diff-change]")]
    .filter((change) => change.checkVisibility())
    // A deletion with its insertion is one change: stop at the first of the two.
    .filter((change) => !(change.matches("ins") && change.previousSibling?.nodeName === "DEL"));

  function walk(step) {
    const all = changes();
    if (!all.length) return;
    at = (at + step + all.length) % all.length;
    document.querySelector("[data-diff-here]")?.removeAttribute("data-diff-here");
    all[at].setAttribute("data-diff-here", "");
    all[at].scrollIntoView({ block: "center", behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
    for (const place of document.querySelectorAll("[data-diff-place]")) {
      place.textContent = `${at + 1} of ${all.length}`;
    }
  }

  function count() {
    at = -1;
    const all = changes().length;
    for (const place of document.querySelectorAll("[data-diff-place]")) {
      place.textContent = all === 1 ? "1 change" : `${all} changes`;
    }
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-diff-step]");
    if (button) walk(button.dataset.diffStep === "back" ? -1 : 1);
  });
  document.addEventListener("DOMContentLoaded", count);
  document.addEventListener("htmx:load", count);
})();
