// Opening a notice marks it as read: in this tab its form is sent, for a new tab it is sent beside the link.
(() => {
  function opened(event) {
    const form = event.target.closest("[data-notice-link]")?.closest("[data-notice]");
    if (!form) return;
    if (event.type === "click" && !event.ctrlKey && !event.metaKey && !event.shiftKey && !event.altKey) {
      event.preventDefault();
      form.requestSubmit();
    } else if (event.type === "click" || event.button === 1) {
      fetch(form.action, { method: "POST", body: window.galleyFields(form), redirect: "manual", keepalive: true });
    }
  }

  document.addEventListener("click", opened);
  document.addEventListener("auxclick", opened);
})();
