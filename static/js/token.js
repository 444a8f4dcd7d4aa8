// The token that tells that a form is ours. Signing in draws a new one, in this tab or in another, so it is read from
// where it stands now and not from when the page was drawn.
(() => {
  const now = () => document.cookie.match(/(?:^|;\s*)csrftoken=([^;]+)/)?.[1];

  function renew(form) {
    const field = form?.elements?.csrfmiddlewaretoken;
    if (field && now()) field.value = now();
  }

  // The fields of a form, as a script sends them.
  window.galleyFields = (form) => {
    renew(form);
    return new FormData(form);
  };

  document.addEventListener("submit", (event) => renew(event.target), true);
  document.addEventListener("htmx:configRequest", ({ detail }) => {
    if (!now()) return;
    detail.headers["X-CSRFToken"] = now();
    if ("csrfmiddlewaretoken" in detail.parameters) detail.parameters.csrfmiddlewaretoken = now();
  });
})();
