// A card follows the hand that holds it by its handle: mouse, pen and finger alike.
(() => {
  const D = window.GalleyDraft;
  if (!D) return;
  const list = document.getElementById("draft-cards");

  list.addEventListener("pointerdown", (event) => {
    const handle = event.target.closest("[data-card-handle]");
    if (!handle) return;
    const card = handle.closest("[data-card]");
    handle.setPointerCapture(event.pointerId);
    card.dataset.dragged = "true";
    let moved = false;
    const drag = ({ clientY }) => {
      const others = D.cards().filter((one) => one !== card);
      const next = others.find((one) => clientY < one.getBoundingClientRect().top + one.offsetHeight / 2);
      if (next ? next.previousElementSibling === card : list.lastElementChild === card) return;
      moved = true;
      if (next) next.before(card);
      else list.append(card);
    };
    const drop = () => {
      handle.removeEventListener("pointermove", drag);
      delete card.dataset.dragged;
      if (moved) D.settle();
    };
    handle.addEventListener("pointermove", drag);
    handle.addEventListener("lostpointercapture", drop, { once: true });
  });
})();
