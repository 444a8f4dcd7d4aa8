// The contract's rows follow the text: a new name gets a row, a name that is gone keeps what was told of it.
(() => {
  const D = window.GalleyDraft;
  if (!D) return;
  const table = document.querySelector("[data-contract]");
  let keys = 10000;
  let gone = {};

  const rows = () => [...table.querySelectorAll("[data-variable]")];
  D.variable = (name) => rows().find((row) => row.dataset.variable === name);
  D.names = () => rows().filter((row) => !("absent" in row.dataset)).map((row) => row.dataset.variable);
  // Known is what the version before had, or what somebody said a word about.
  D.known = () => rows().filter((row) => "known" in row.dataset || isTold(row)).map((row) => row.dataset.variable);

  function isTold(row) {
    const type = row.querySelector("[name$=-type]").value;
    return !["string", "messages"].includes(type) || !row.querySelector("[name$=-required]").checked
      || [...row.querySelectorAll("textarea, input[name$=-description]")].some((field) => field.value);
  }

  function call(row, name, before) {
    row.dataset.variable = name;
    row.querySelector("legend").textContent = name;
    row.querySelector("[name=variable]").value = name;
    row.querySelector("[data-variable-insert]").textContent = name;
    for (const field of row.querySelectorAll("[aria-label]")) field.setAttribute("aria-label", labelled(field.getAttribute("aria-label"), before, name));
  }

  // A name stands at the end of its labels: earlier letters that look like it are not it.
  const labelled = (label, before, name) => (label.endsWith(before) ? label.slice(0, -before.length) + name : label);

  // One name went and one came: it was renamed, and what was told of it goes with it.
  function renamed(names) {
    const wanted = new Set(names.map((one) => one.name));
    const came = names.filter((one) => !D.variable(one.name));
    const went = rows().filter((row) => !wanted.has(row.dataset.variable) && !("absent" in row.dataset));
    if (came.length !== 1 || went.length > 1) return false;
    const row = went[0] || (gone.row?.isConnected && Date.now() - gone.at < 5000 ? gone.row : null);
    if (!row || !isTold(row) || (row.querySelector("[name$=-type]").value === "messages") !== (came[0].type === "messages")) return false;
    call(row, came[0].name, row.dataset.variable);
    delete row.dataset.absent;
    delete row.dataset.known;
    return true;
  }

  D.addVariable = (variable, key = String(keys++)) => {
    const source = document.getElementById("variable-row").innerHTML;
    const shell = document.createElement("template");
    // The row's template is ours; the name is put in as text below.
    shell.innerHTML = source.replaceAll("KEY", key);
    const row = shell.content.firstElementChild;
    call(row, variable.name, "NAME");
    const type = row.querySelector("[name$=-type]");
    if (variable.type === "messages") type.replaceChildren(new Option("messages"));
    else if (variable.type) type.value = variable.type;
    for (const part of ["example", "description"]) row.querySelector(`[name$=-${part}]`).value = variable[part] || "";
    if (variable.default != null) row.querySelector("[name$=-default]").value = typeof variable.default === "string" ? variable.default : JSON.stringify(variable.default);
    if (variable.default === "") row.append(Object.assign(document.createElement("input"), { type: "hidden", name: `variable-${key}-empty-default`, value: "on" }));
    if (variable.required === false) row.querySelector("[name$=-required]").checked = false;
    table.querySelector("[data-contract-empty]").before(row);
    return row;
  };

  // Brings the rows in line with the names of the text; says whether a row came or went.
  D.follow = (names) => {
    const wanted = new Set(names.map((one) => one.name));
    let changed = renamed(names);
    for (const variable of names) {
      const row = D.variable(variable.name);
      if (!row) { D.addVariable(variable); changed = true; }
      else if ("absent" in row.dataset) { delete row.dataset.absent; changed = true; }
    }
    for (const row of rows()) {
      if (wanted.has(row.dataset.variable) || "absent" in row.dataset) continue;
      changed = true;
      if (isTold(row)) {
        row.dataset.absent = "";
        gone = { row, at: Date.now() };
      } else row.remove();
    }
    if (changed && !table.contains(document.activeElement)) sort(names);
    table.querySelector("[data-contract-empty]").hidden = rows().length > 0;
    D.paint?.();
  };

  function sort(names) {
    const end = table.querySelector("[data-contract-empty]");
    for (const { name } of names) end.before(D.variable(name));
    for (const row of rows()) if ("absent" in row.dataset) end.before(row);
  }

  table.addEventListener("click", (event) => {
    const row = event.target.closest("[data-variable]");
    if (event.target.closest("[data-variable-insert]")) D.insert(D.spelled(row.dataset.variable));
    if (event.target.closest("[data-variable-drop]")) { row.remove(); D.changed(); }
  });
  table.addEventListener("input", (event) => {
    if (event.target.name?.endsWith("-default")) event.target.closest("[data-variable]").querySelector("[name$=-empty-default]")?.remove();
  });
})();
