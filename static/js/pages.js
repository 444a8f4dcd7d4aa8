// Small things that pages share: copying, relative times that stay true, forms that submit on change, late scripts.
(() => {
  const loading = {};

  // The heavy parts (charts, editor) load when a page first needs them; their address stands on <body>.
  window.galleyLoad = (name) => {
    loading[name] ??= new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = document.body.dataset[`${name}Src`];
      script.onload = resolve;
      script.onerror = () => reject(new Error(`${name} did not load`));
      document.head.append(script);
    });
    return loading[name];
  };

  window.galleyNonce = () => document.getElementById("plotly.js-style-global")?.nonce || "";

  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-print]")) window.print();
  });

  async function copy(button) {
    const source = button.dataset.copy ? document.querySelector(button.dataset.copy)
      : button.closest(".g-copy")?.querySelector("code");
    const text = button.dataset.copyText ?? source?.value ?? source?.textContent;
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      // Without a secure context there is no clipboard: select the text, so that one key copies it.
      if (source) getSelection().selectAllChildren(source);
      window.galleyToast("info", "Selected. Press Ctrl+C to copy.");
      return;
    }
    button.dataset.copied = "true";
    setTimeout(() => { delete button.dataset.copied; }, 1600);
    if (!button.closest(".g-copy")) window.galleyToast("success", "Copied.");
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-copy], [data-copy-text]");
    if (button) copy(button);
  });

  document.addEventListener("change", (event) => {
    const owner = event.target.closest("[data-autosubmit]");
    if (owner) (owner.form || owner).requestSubmit();
  });

  // On a narrow screen the open tab may lie outside its strip: bring it to the middle.
  document.addEventListener("DOMContentLoaded", () => {
    for (const tab of document.querySelectorAll(".g-tabs > [aria-current]")) {
      const strip = tab.parentElement;
      strip.scrollLeft = tab.offsetLeft - strip.offsetLeft - (strip.clientWidth - tab.offsetWidth) / 2;
    }
  });

  const SPACE = "\u00a0";
  function relative(seconds) {
    const size = Math.abs(seconds);
    if (size < 45) return "just now";
    let span;
    if (size < 45 * 60) span = `${Math.max(1, Math.round(size / 60))}${SPACE}min`;
    else if (size < 22 * 3600) span = `${Math.max(1, Math.round(size / 3600))}${SPACE}h`;
    else if (size < 7 * 86400) {
      const days = Math.max(1, Math.round(size / 86400));
      span = `${days}${SPACE}day${days > 1 ? "s" : ""}`;
    } else return null;
    return seconds > 0 ? `${span} ago` : `in ${span}`;
  }

  setInterval(() => {
    if (document.hidden) return;
    for (const time of document.querySelectorAll("time[data-ago]")) {
      const text = relative((Date.now() - Date.parse(time.dateTime)) / 1000);
      if (text && text !== time.textContent) time.textContent = text;
    }
  }, 30000);
})();
