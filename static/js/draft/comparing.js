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
      ...(one.default === "" ? [[`variable-${key}-empty-default`, "on"]] : []),
      [`variable-${key}-description`, one.description]]);
    const numbers = ["temperature", "top_p", "max_tokens", "seed"].map((name) => [name, String(content.model_config.parameters?.[name] ?? "")]);
    return [...cards, ...rows, ["model", content.model_config.model || ""], ...numbers, ["format", content.format],
      ["tools", json(content.tools)], ["output_schema", json(content.output_schema)]];
  };

  const ORDERED = new Set(["item", "role", "content", "placeholder", "example-input", "example-output"]);

  // What two copies of the form have to share to say the same: the numbers of rows, bare names and the order of fields
  // that are no cards do not count.
  D.essence = (entries) => {
    const names = {};
    for (const [at, [name, value]] of entries.entries()) if (name === "variable") names[entries[at + 1][1]] = value;
    const told = ([name, value]) => value && !["variable", "variable-key", "examples"].includes(name) && !(/-type$/.test(name) && value === "string");
    const required = ([name]) => !/^variable-.*-required$/.test(name);
    const said = entries.filter(told).filter(required);
    const line = ([name, value]) => {
      const [, key, part] = name.match(/^variable-(\w+)-(.*)$/) || [];
      return key ? `~${names[key]}.${part}=${value}` : `${name}=${value}`;
    };
    const [cards, rest] = [true, false].map((isCard) => said.filter(([name]) => ORDERED.has(name) === isCard).map(line));
    return [...cards, ...rest.sort()].join("\n");
  };

  // A short mark of what a copy says: two sums over its letters, as long texts would fill the memory.
  D.mark = (entries) => {
    const text = D.essence(entries);
    let [one, two] = [7, 11];
    for (let at = 0; at < text.length; at += 1) {
      one = (one * 31 + text.charCodeAt(at)) % 2147483647;
      two = (two * 131 + text.charCodeAt(at)) % 2147483629;
    }
    return `${text.length}:${one}:${two}`;
  };

  // One text to read and to compare.
  D.flat = (entries) => entries.filter(([name, value]) => value && !["variable-key", "item", "examples"].includes(name) && !/^variable-/.test(name))
    .map(([name, value]) => (name === "content" ? `${value}\n` : `${name.replace("_", " ")}: ${value}`)).join("\n");
})();
