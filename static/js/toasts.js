// Short messages: Django's, those of a response (HX-Trigger galley:toast), and plain words for a request that failed.
(() => {
  const LEVELS = ["success", "info", "warning", "error"];
  const FAILURES = {
    0: "The server did not answer. Check the connection and try again.",
    403: "You may not do that here.",
    404: "That is not there any more. Reload the page to see what is.",
    413: "That is too large to send.",
    429: "Too many requests at once. Wait a moment and try again.",
  };

  function show(level, text) {
    const region = document.getElementById("toasts");
    const source = document.getElementById("toast-template");
    if (!region || !source || !text) return;
    const toast = source.content.firstElementChild.cloneNode(true);
    toast.dataset.level = LEVELS.includes(level) ? level : "info";
    for (const icon of toast.querySelectorAll("[data-for]")) {
      if (icon.dataset.for !== toast.dataset.level) icon.remove();
    }
    toast.querySelector(".g-toast-text").textContent = text;
    region.append(toast);
    arm(toast);
  }

  // An error stays until it is dismissed; the rest go by themselves, but not while they are being read.
  function arm(toast) {
    if (toast.dataset.armed) return;
    toast.dataset.armed = "true";
    if (toast.dataset.level === "error") return;
    let timer;
    const start = () => { timer = setTimeout(() => toast.remove(), 7000); };
    const stop = () => clearTimeout(timer);
    toast.addEventListener("mouseenter", stop);
    toast.addEventListener("focusin", stop);
    toast.addEventListener("mouseleave", start);
    toast.addEventListener("focusout", start);
    start();
  }

  document.addEventListener("click", (event) => {
    event.target.closest("[data-toast-close]")?.closest("[data-toast]")?.remove();
  });
  document.addEventListener("galley:toast", (event) => {
    const said = event.detail;
    for (const one of Array.isArray(said.value) ? said.value : [said]) show(one.level, one.text);
  });
  document.addEventListener("htmx:responseError", (event) => {
    const xhr = event.detail.xhr;
    if ((xhr.getResponseHeader("HX-Trigger") || "").includes("galley:toast")) return;
    show("error", FAILURES[xhr.status] || "Something went wrong on our side. Reload to see what was kept, then try again.");
  });
  document.addEventListener("htmx:sendError", () => show("error", FAILURES[0]));
  document.addEventListener("htmx:timeout", () => show("error", FAILURES[0]));
  document.addEventListener("DOMContentLoaded", () => document.querySelectorAll("[data-toast]").forEach(arm));
  window.galleyToast = show;
})();
