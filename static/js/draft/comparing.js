// Copies of the form beside each other: one of another tab, one of this browser, the one on the page.
(() => {
  const D = window.GalleyDraft;
  if (!D) return;

  // What another tab saved, in the shape of `entries`.
  D.entriesOf = (content) => {
    const json = (value) => (value && Object.keys(value).length ? JSON.stringify(value, null, 2) : "");
    const cards = content.messages.flatMap((item) => item.type === "placeholder" ? [["item", "placeholder"], ["placeholder", item.name]]
      : item.type === "examples" ? [["item", "examples"], ...content.examples.flatMap((row) => [["example-input", row.input], ["example-output", row.output]])]
        : [["item", "message"], ["role", item.role], ["content", item.content]]);
    const rows = content.variables.flatMap((one, key) => [
      ["variable", one.name], ["variable-key", String(key)], [`variable-${key}-type`, one.type],
      ...(one.required ? [[`variable-${key}-required`, "on"]] : []), [`variable-${key}-example`, one.example],
      [`variable-${key}-default`, one.default == null ? "" : typeof one.default === "string" ? one.default : JSON.stringify(one.default)],
      [`variable-${key}-description`, one.description]]);
    const numbers = ["temperature", "top_p", "max_tokens", "seed"].map((name) => [name, String(content.model_config.parameters?.[name] ?? "")]);
    return [...cards, ...rows, ["model", content.model_config.model || ""], ...numbers, ["format", content.format],
      ["tools", json(content.tools)], ["output_schema", json(content.output_schema)]];
  };

  // What two copies of the form have to share to say the same: the numbers of rows and bare names do not count.
  D.essence = (entries) => {
    const names = {};
    for (const [at, [name, value]] of entries.entries()) if (name === "variable") names[entries[at + 1][1]] = value;
    const told = ([name, value]) => value && !["variable", "variable-key"].includes(name) && !(/-type$/.test(name) && value === "string");
    const required = ([name]) => !/^variable-.*-required$/.test(name);
    return entries.filter(told).filter(required).map(([name, value]) => {
      const [, key, part] = name.match(/^variable-(\w+)-(.*)$/) || [];
      return key ? `~${names[key]}.${part}=${value}` : `${name}=${value}`;
    }).sort((a, b) => (a[0] === "~" && b[0] === "~" ? (a < b ? -1 : 1) : 0)).join("\n");
  };

  // One text to read and to compare.
  D.flat = (entries) => entries.filter(([name, value]) => value && !["variable-key", "item", "examples"].includes(name) && !/^variable-/.test(name))
    .map(([name, value]) => (name === "content" ? `${value}\n` : `${name.replace("_", " ")}: ${value}`)).join("\n");
})();
