// The playground's furniture: columns that come and go, menus that close, the rows of a list of messages.
(() => {
  const form = document.querySelector("[data-try-form]");
  if (!form) return;
  const all = () => [...document.querySelectorAll("[data-try-column]")];

  function open(column, is_open) {
    column.hidden = !is_open;
    column.querySelector("fieldset").disabled = !is_open;
    refresh();
    // Other columns may want other inputs.
    window.htmx.trigger(all().find((one) => !one.hidden).querySelector("[data-try-source]"), "change");
  }

  function refresh() {
    const shown = all().filter((column) => !column.hidden);
    for (const column of shown) {
      column.querySelector("[data-try-close]").hidden = shown.length === 1;
      const own = column.querySelector("[data-try-source]").selectedOptions[0]?.dataset.own;
      column.querySelector("[data-try-model]").options[0].textContent = own ? `Its own: ${own}` : "Choose a model";
    }
    const add = document.querySelector("[data-try-add]");
    if (add) add.disabled = shown.length === all().length;
  }

  function close_menus(but) {
    document.querySelectorAll("[data-try-menu][open]").forEach((menu) => { if (menu !== but) menu.open = false; });
  }

  document.addEventListener("click", (event) => {
    const target = event.target;
    close_menus(target.closest("[data-try-menu]"));
    if (target.closest("[data-try-add]")) {
      event.preventDefault();
      const next = all().find((column) => column.hidden);
      if (next) open(next, true);
    }
    if (target.closest("[data-try-close]")) open(target.closest("[data-try-column]"), false);
    if (target.closest("[data-try-row-add]")) add_row(target.closest("[data-try-messages]"));
    if (target.closest("[data-try-row-remove]")) target.closest("[data-try-row]").remove();
  });

  function add_row(list) {
    const rows = list.querySelector("[data-try-rows]");
    rows.append(list.querySelector("template").content.cloneNode(true));
    rows.lastElementChild.querySelector("textarea").focus();
  }

  document.addEventListener("keydown", (event) => {
    const menu = event.key === "Escape" && event.target.closest?.("[data-try-menu][open]");
    if (!menu) return;
    menu.open = false;
    menu.querySelector("summary").focus();
  });
  // What was chosen from a menu is in the fields now.
  document.addEventListener("htmx:afterSwap", (event) => { if (event.target.id === "try-inputs") close_menus(); });
  document.addEventListener("change", (event) => { if (event.target.closest("[data-try-source]")) refresh(); });
  refresh();
})();
