// The editor's form as plain values: read, written back, compared. All parts of the editor meet in window.GalleyDraft.
(() => {
  const form = document.getElementById("draft-form");
  if (!form) return;
  const NOT_TEXT = new Set(["csrfmiddlewaretoken", "revision", "message", "inputs"]);
  const D = window.GalleyDraft = {
    form,
    state: JSON.parse(document.getElementById("draft-state").textContent),
    typed: 0, // counts every change by hand; what was saved remembers the count
  };

  D.copy = (id) => document.getElementById(id).content.firstElementChild.cloneNode(true);
  D.cards = () => [...document.querySelectorAll("#draft-cards > [data-card]")];
  D.field = (name) => form.elements[name];
  D.say = (name, detail) => form.dispatchEvent(new CustomEvent(`draft:${name}`, { detail }));
  D.on = (name, work) => form.addEventListener(`draft:${name}`, (event) => work(event.detail));
  D.changed = () => { D.typed += 1; D.say("changed"); };
  D.entries = () => [...new FormData(form)].filter(([name]) => !NOT_TEXT.has(name)).map(([name, value]) => [name, value.replaceAll("\r\n", "\n")]);

  form.addEventListener("input", (event) => { if (!NOT_TEXT.has(event.target.name)) D.changed(); });
  form.addEventListener("change", (event) => { if (event.target.matches("select, [type=checkbox]") && !NOT_TEXT.has(event.target.name)) D.changed(); });
  // Enter in a field is no wish to save a version.
  form.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && event.target.matches("input:not(#version-message)")) event.preventDefault();
  });

  D.items = () => D.cards().map((card) => ({
    type: card.dataset.card,
    role: card.querySelector("[name=role]")?.value,
    content: card.querySelector("[name=content]")?.value.replaceAll("\r\n", "\n"),
    name: card.querySelector("[name=placeholder]")?.value.trim(),
  }));
  D.examples = () => [...form.querySelectorAll("[data-examples] tbody tr")].map((row) => ({
    input: row.querySelector("[name=example-input]").value, output: row.querySelector("[name=example-output]").value,
  })).filter((row) => row.input || row.output);

  // Builds the page's fields anew from what `entries` once returned.
  D.write = (entries) => {
    const list = document.getElementById("draft-cards");
    list.replaceChildren();
    form.querySelectorAll("[data-variable]").forEach((row) => row.remove());
    form.querySelectorAll("[type=checkbox]").forEach((box) => { box.checked = false; });
    let card;
    for (const [at, [name, value]] of entries.entries()) {
      if (name === "item") list.append(card = D.copy(`card-${value}`));
      else if (["role", "content", "placeholder"].includes(name)) card.querySelector(`[name=${name}]`).value = value;
      else if (name === "example-input") card.querySelector("tbody").append(D.copy("example-row"));
      else if (name === "variable") D.addVariable({ name: value, ...kept(entries, entries[at + 1][1]) }, entries[at + 1][1]);
      if (name.startsWith("example-")) list.querySelector(`tbody tr:last-child [name=${name}]`).value = value;
      else if (!["item", "role", "content", "placeholder", "variable", "variable-key"].includes(name)) setField(name, value);
    }
    D.say("rebuilt");
    D.changed();
  };

  // What of a variable only a row that is made with it can hold: that it stands for messages, that nothing is its default.
  function kept(entries, key) {
    const said = (part) => entries.find(([name]) => name === `variable-${key}-${part}`)?.[1];
    return { type: said("type"), ...(said("empty-default") ? { default: "" } : {}) };
  }

  function setField(name, value) {
    const field = form.elements[name];
    if (!field || field instanceof RadioNodeList) return;
    if (field.type === "checkbox") field.checked = value === "on";
    else field.value = value;
    field.dispatchEvent(new CustomEvent("draft:set"));
  }
})();
