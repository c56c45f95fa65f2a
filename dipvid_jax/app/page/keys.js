// The keyboard: which key does what, and the list of it in the help.

/** `[keys, words, action, argument]`; the first key is the one that help shows. */
const KEYS = [
  [["ArrowLeft"], "frame before", "step", -1],
  [["ArrowRight"], "frame after", "step", 1],
  [["PageUp"], "ten frames back", "step", -10],
  [["PageDown"], "ten frames on", "step", 10],
  [["Home"], "first frame", "step", -Infinity],
  [["End"], "last frame", "step", Infinity],
  [[" "], "play, pause", "play"],
  [["b"], "brush", "tool", "brush"],
  [["e"], "eraser", "tool", "eraser"],
  [["r"], "box", "tool", "box"],
  [["i"], "include (hint)", "tool", "include"],
  [["x"], "exclude (hint)", "tool", "exclude"],
  [["h"], "move the image", "tool", "hand"],
  [["["], "smaller brush", "resize", -1],
  [["]"], "larger brush", "resize", 1],
  [["z"], "undo", "undo"],
  [["y", "Z"], "redo", "redo"],
  [["Enter"], "propagate", "propagate"],
  [["n"], "least sure frame", "next"],
  [["l"], "lock, unlock", "lock"],
  [["m"], "show, hide masks", "masks"],
  [["c"], "compare", "compare"],
  [["+", "="], "zoom in", "zoom", 1.25],
  [["-"], "zoom out", "zoom", 0.8],
  [["0"], "fit", "fit"],
  [["?"], "this help", "help"],
];
const NAMES = {
  " ": "Space",
  ArrowLeft: "\u2190",
  ArrowRight: "\u2192",
};

export function listen(actions) {
  const known = new Map();
  for (const [keys, , action, argument] of KEYS) {
    for (const key of keys) known.set(key, () => actions[action](argument));
  }
  document.addEventListener("keydown", (event) => {
    if (event.altKey || isTaken(event)) return;
    const undoes = (event.ctrlKey || event.metaKey) && /^[zy]$/i.test(event.key);
    if ((event.ctrlKey || event.metaKey) && !undoes) return;
    const letter = event.shiftKey ? event.key : event.key.toLowerCase();
    const action = known.get(event.key) ?? known.get(letter);
    const digit = /^[1-9]$/.test(event.key) ? Number(event.key) : 0;
    if (!action && !digit) return;
    event.preventDefault();
    if (action) action();
    else actions.object(digit);
  });
}

/** Whether the element in focus needs the key itself. */
function isTaken({ key, target }) {
  if (document.querySelector("dialog[open]")) return true;
  if (target.matches("select, input:not([type=range], [type=checkbox], [type=file])")) {
    return true;
  }
  const moves = /^(Arrow|Page|Home|End)/.test(key);
  if (target.matches("input[type=range]")) return moves;
  return (key === "Enter" || key === " ") && target.matches("button, a, input, label");
}

/** Fills the list `element` (dl) with the keys. */
export function explain(element) {
  for (const [keys, words] of KEYS) {
    const term = document.createElement("dt");
    const key = document.createElement("kbd");
    const letter = keys[0].replace(/^[a-z]$/, (k) => k.toUpperCase());
    key.textContent = NAMES[keys[0]] ?? letter;
    term.append(key);
    const description = document.createElement("dd");
    description.textContent = words;
    element.append(term, description);
  }
}
