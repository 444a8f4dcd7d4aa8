// The prompt editor and the merge view, bundled once by scripts/vendor.sh as window.GalleyEditor.
import { minimalSetup } from "codemirror";
import { Compartment, EditorState, RangeSetBuilder } from "@codemirror/state";
import { Decoration, EditorView, ViewPlugin, keymap, placeholder } from "@codemirror/view";
import { indentWithTab } from "@codemirror/commands";
import { markdown } from "@codemirror/lang-markdown";
import { HighlightStyle, syntaxHighlighting } from "@codemirror/language";
import { MergeView, unifiedMergeView } from "@codemirror/merge";
import { tags } from "@lezer/highlight";

const VARIABLE = /\{\{\s*([A-Za-z_][\w.-]*)\s*\}\}/g;

const highlight = HighlightStyle.define([
  { tag: tags.heading, class: "cm-g-heading" },
  { tag: tags.strong, class: "cm-g-strong" },
  { tag: tags.emphasis, class: "cm-g-emphasis" },
  { tag: tags.monospace, class: "cm-g-code" },
  { tag: [tags.url, tags.link], class: "cm-g-link" },
  { tag: tags.processingInstruction, class: "cm-g-mark" },
]);

function chips(known) {
  const paint = (view) => {
    const builder = new RangeSetBuilder();
    for (const { from, to } of view.visibleRanges) {
      for (const match of view.state.doc.sliceString(from, to).matchAll(VARIABLE)) {
        const unknown = known && !known.includes(match[1].split(".")[0]);
        const start = from + match.index;
        builder.add(start, start + match[0].length, Decoration.mark({
          class: unknown ? "g-var g-var-unknown" : "g-var",
          attributes: { title: unknown ? `${match[1]} is not declared` : match[1] },
        }));
      }
    }
    return builder.finish();
  };
  return ViewPlugin.define(
    (view) => ({
      decorations: paint(view),
      update(update) {
        if (update.docChanged || update.viewportChanged) this.decorations = paint(update.view);
      },
    }),
    { decorations: (plugin) => plugin.decorations },
  );
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
  const variables = new Compartment();
  const view = new EditorView({
    parent,
    doc: options.doc || "",
    extensions: [
      minimalSetup,
      options.tabIndents ? keymap.of([indentWithTab]) : [],
      base(options),
      variables.of(chips(options.known)),
      options.placeholder ? placeholder(options.placeholder) : [],
      options.readOnly ? EditorState.readOnly.of(true) : [],
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
    setKnown: (known) => view.dispatch({ effects: variables.reconfigure(chips(known)) }),
    destroy: () => view.destroy(),
  };
}

function merge(parent, options) {
  const fixed = [base(options), EditorState.readOnly.of(true), EditorView.editable.of(false), chips(options.known)];
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

window.GalleyEditor = { prompt, merge };
