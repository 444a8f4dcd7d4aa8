// The prompt editor and the merge view, bundled once by scripts/vendor.sh as window.GalleyEditor.
import { minimalSetup } from "codemirror";
import { autocompletion, completionKeymap } from "@codemirror/autocomplete";
import { Compartment, EditorState, Prec, RangeSetBuilder } from "@codemirror/state";
import { Decoration, EditorView, ViewPlugin, WidgetType, keymap, placeholder } from "@codemirror/view";
import { indentWithTab } from "@codemirror/commands";
import { json, jsonParseLinter } from "@codemirror/lang-json";
import { markdown } from "@codemirror/lang-markdown";
import { HighlightStyle, syntaxHighlighting } from "@codemirror/language";
import { lintGutter, linter, setDiagnostics } from "@codemirror/lint";
import { MergeView, unifiedMergeView } from "@codemirror/merge";
import { tags } from "@lezer/highlight";

const MUSTACHE = /\{\{\s*([\p{L}_][\p{L}\p{N}_.]*)\s*\}\}/gu;
const SPELLINGS = {
  mustache: MUSTACHE,
  jinja: /\{\{-?\s*([\p{L}_][\p{L}\p{N}_.]*)[^{}]*\}\}/gu,
  fstring: /(?<!\{)\{([\p{L}_][\p{L}\p{N}_]*)\}(?!\})/gu,
};
const REFERENCE = /@@@langfusePrompt:([^\n]*?)@@@/g;

const highlight = HighlightStyle.define([
  { tag: tags.heading, class: "cm-g-heading" },
  { tag: tags.strong, class: "cm-g-strong" },
  { tag: tags.emphasis, class: "cm-g-emphasis" },
  { tag: tags.monospace, class: "cm-g-code" },
  { tag: [tags.url, tags.link], class: "cm-g-link" },
  { tag: tags.processingInstruction, class: "cm-g-mark" },
]);

// What stands in the text as more than text: variables as marks, references as chips that link to their version.
function chips({ known, format, references }) {
  const paint = (view) => {
    const found = [];
    for (const { from, to } of view.visibleRanges) {
      const text = view.state.doc.sliceString(from, to);
      for (const match of text.matchAll(SPELLINGS[format] || MUSTACHE)) {
        const unknown = known && !known.includes(match[1].split(".")[0]);
        found.push([from + match.index, match[0].length, Decoration.mark({
          class: unknown ? "g-var g-var-unknown" : "g-var",
          attributes: { title: unknown ? `${match[1]}: nothing is said of it yet` : match[1] },
        })]);
      }
      if (!references) continue;
      for (const match of text.matchAll(REFERENCE)) {
        found.push([from + match.index, match[0].length, Decoration.replace({
          widget: new Chip(match[0], match[1], references[match[0]]),
        })]);
      }
    }
    const builder = new RangeSetBuilder();
    found.sort((a, b) => a[0] - b[0]);
    for (const [start, length, decoration] of found) builder.add(start, start + length, decoration);
    return builder.finish();
  };
  return ViewPlugin.define(
    (view) => ({
      decorations: paint(view),
      update(update) {
        if (update.docChanged || update.viewportChanged) this.decorations = paint(update.view);
      },
    }),
    {
      decorations: (plugin) => plugin.decorations,
      provide: (plugin) => EditorView.atomicRanges.of((view) => references ? view.plugin(plugin)?.decorations
        .update({ filter: (_from, _to, one) => Boolean(one.spec.widget) }) || Decoration.none : Decoration.none),
    },
  );
}

class Chip extends WidgetType {
  constructor(tag, inside, leads) {
    super();
    this.tag = tag;
    this.inside = inside;
    this.leads = leads;
  }
  eq(other) {
    return other.tag === this.tag && JSON.stringify(other.leads) === JSON.stringify(this.leads);
  }
  toDOM() {
    const fields = Object.fromEntries(this.inside.split("|").map((part) => part.split("=")));
    const leads = this.leads;
    const chip = document.createElement(leads?.url ? "a" : "span");
    chip.className = leads?.problem ? "g-ref g-ref-broken" : "g-ref";
    chip.dir = "auto";
    const wanted = fields.label || `v${fields.version}`;
    chip.textContent = `${fields.name} · ${wanted}${leads?.number && fields.label ? ` → v${leads.number}` : ""}`;
    chip.title = leads?.problem || (leads?.text ? leads.text.slice(0, 400) : this.tag);
    if (leads?.url) Object.assign(chip, { href: leads.url, target: "_blank", rel: "noopener" });
    return chip;
  }
  ignoreEvent() {
    return true;
  }
}

function completions(options) {
  return autocompletion({
    override: [(context) => {
      const before = context.matchBefore(options.spelling() === "fstring" ? /\{[\w]*/ : /\{\{\s*[\w]*/);
      if (!before) return null;
      const open = before.text.match(/^\{+\s*/)[0];
      const close = options.spelling() === "fstring" ? "}" : "}}";
      return {
        from: before.from + open.length,
        options: options.names().map((label) => ({ label, type: "variable", apply: label + close })),
      };
    }],
    icons: false,
  });
}

function base(options) {
  return [
    options.nonce ? EditorView.cspNonce.of(options.nonce) : [],
    EditorView.lineWrapping,
    markdown(),
    syntaxHighlighting(highlight),
    EditorView.contentAttributes.of(options.attributes || {}),
  ];
}

function prompt(parent, options) {
  const marks = new Compartment();
  const label = new Compartment();
  let shown = { known: options.known, format: options.format || "mustache", references: options.references };
  const view = new EditorView({
    parent,
    doc: options.doc || "",
    extensions: [
      options.onEnter ? Prec.highest(keymap.of([{ key: "Mod-Enter", run: options.onEnter }])) : [],
      minimalSetup,
      options.names ? [completions(options), keymap.of(completionKeymap)] : [],
      options.tabIndents ? keymap.of([indentWithTab]) : [],
      label.of([]),
      base(options),
      marks.of(chips(shown)),
      options.findings ? lintGutter() : [],
      options.placeholder ? placeholder(options.placeholder) : [],
      options.readOnly ? EditorState.readOnly.of(true) : [],
      options.onPaste ? EditorView.domEventHandlers({ paste: (event) => options.onPaste(event) }) : [],
      EditorView.perLineTextDirection.of(true),
      EditorView.updateListener.of((update) => {
        if (update.docChanged && options.onChange) options.onChange(update.state.doc.toString());
      }),
    ],
  });
  return {
    view,
    text: () => view.state.doc.toString(),
    setText: (text) => view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: text } }),
    insert: (text) => { view.dispatch(view.state.replaceSelection(text)); view.focus(); },
    setKnown: (known) => {
      shown = { ...shown, known };
      view.dispatch({ effects: marks.reconfigure(chips(shown)) });
    },
    show: (changes) => {
      shown = { ...shown, ...changes };
      view.dispatch({ effects: marks.reconfigure(chips(shown)) });
    },
    setLabel: (text) => view.dispatch({
      effects: label.reconfigure(EditorView.contentAttributes.of({ "aria-label": text })),
    }),
    setFindings: (findings) => {
      const end = view.state.doc.length;
      const found = findings.map((one) => ({
        from: Math.min(one.from, end), to: Math.min(Math.max(one.to, one.from), end),
        severity: { bad: "error", warn: "warning" }[one.tone] || "info", message: one.text,
      }));
      view.dispatch(setDiagnostics(view.state, found));
    },
    select: (from, to) => {
      const end = view.state.doc.length;
      view.dispatch({ selection: { anchor: Math.min(from, end), head: Math.min(to, end) }, scrollIntoView: true });
      view.focus();
    },
    destroy: () => view.destroy(),
  };
}

// An editor for JSON that says where it breaks while it is written; nothing is no mistake.
function data(parent, options) {
  const parse = jsonParseLinter();
  const view = new EditorView({
    parent,
    doc: options.doc || "",
    extensions: [
      minimalSetup,
      keymap.of([indentWithTab]),
      options.nonce ? EditorView.cspNonce.of(options.nonce) : [],
      EditorView.lineWrapping,
      json(),
      linter((one) => (one.state.doc.toString().trim() ? parse(one) : [])),
      EditorView.contentAttributes.of(options.attributes || {}),
      options.placeholder ? placeholder(options.placeholder) : [],
      EditorView.updateListener.of((update) => {
        if (update.docChanged) options.onChange(update.state.doc.toString());
      }),
    ],
  });
  return {
    view,
    setText: (text) => view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: text } }),
    destroy: () => view.destroy(),
  };
}

function merge(parent, options) {
  const fixed = [base(options), EditorState.readOnly.of(true), EditorView.editable.of(false), chips({ known: options.known })];
  if (options.unified) {
    const view = new EditorView({
      parent,
      doc: options.after,
      extensions: [fixed, unifiedMergeView({ original: options.before, mergeControls: false, gutter: true })],
    });
    return { destroy: () => view.destroy() };
  }
  const view = new MergeView({
    parent,
    a: { doc: options.before, extensions: fixed },
    b: { doc: options.after, extensions: fixed },
    collapseUnchanged: { margin: 3, minSize: 6 },
    gutter: true,
  });
  return { destroy: () => view.destroy() };
}

window.GalleyEditor = { prompt, data, merge };
