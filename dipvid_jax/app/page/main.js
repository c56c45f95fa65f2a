// The page: the server's state, the frame in sight, and what each control does.

import * as api from "./api.js";
import { Clip, copyOf } from "./clip.js";
import { Compare } from "./compare.js";
import { drawTool } from "./cursor.js";
import { Editor } from "./editor.js";
import * as keys from "./keys.js";
import { paintOverlay } from "./overlay.js";
import * as panel from "./panel.js";
import { Player } from "./player.js";
import * as pointer from "./pointer.js";
import { Saver } from "./saving.js";
import { Timeline } from "./timeline.js";
import { View } from "./canvas.js";

const BUSY_POLL = 500; // milliseconds between questions while a job runs
const CALM_POLL = 3000;
const SETTINGS_DELAY = 250;

const picture = document.createElement("canvas"); // the frame in sight
const after = document.createElement("canvas"); // the same frame of the result
const overlay = document.createElement("canvas");
const viewCanvas = document.getElementById("view");

let state = { clip: null, frames: [], job: null, result: null, next_to_paint: null };
let clip = null;
let current = 0;
let shown = { version: -1, result: -1 }; // what of the current frame is in sight
let dilation = 0;
let masks = true;
let hover = null;
let note = "";
let overlayOld = true;
let asked = 0;
let turn = 0;
let chain = Promise.resolve();
let settingsTimer;

const compare = new Compare();
const saver = new Saver(
  () => update().catch((error) => panel.showError(error.message)),
  (line) => panel.showError(line),
);
const editor = new Editor(saver, () => {
  overlayOld = true;
  view.redraw();
  render();
});
const view = new View(viewCanvas, drawImage, decorate);
const timeline = new Timeline(document.getElementById("timeline"), (n) => {
  player.stop();
  go(n);
});
const player = new Player(show, fetchAhead, render);

function drawImage(context) {
  context.drawImage(picture, 0, 0);
  if (compare.on) compare.draw(context, view);
  else if (masks && editor.labels) {
    if (overlayOld) paintOverlay(overlay, editor.labels, editor.strokes, dilation);
    overlayOld = false;
    context.imageSmoothingEnabled = false;
    context.drawImage(overlay, 0, 0);
  }
}

function decorate(context) {
  if (compare.on) compare.decorate(context, view);
  else drawTool(context, view, editor, hover);
}

function copyInto(canvas, image) {
  canvas.width = clip.width;
  canvas.height = clip.height;
  canvas.getContext("2d").drawImage(image, 0, 0, clip.width, clip.height);
}

/** Brings frame n into sight, with what the server has of it. */
async function show(n) {
  const mine = ++turn;
  current = n;
  if (saver.isWaiting(n)) await saver.flush();
  const about = state.frames[n];
  const version = compare.on && state.result ? state.result.version : -1;
  const [frame, labels, strokes, result] = await Promise.all([
    clip.frame(n),
    clip.mask("labels", n, about),
    clip.mask("strokes", n, about),
    version < 0 ? null : clip.result(n, version),
  ]);
  if (mine !== turn) return;
  copyInto(picture, frame);
  if (result) copyInto(after, result);
  compare.result = result && after;
  const edited = editor.drawing || saver.isWaiting(n);
  if (editor.frame !== n || !editor.labels || !edited) {
    editor.show(n, copyOf(labels), copyOf(strokes), about.painted);
    shown = { version: about.version, result: version };
  }
  render();
  view.redraw();
}

/** `show` for a person who waits: an error is said. */
async function go(n) {
  if (!clip) return;
  try {
    await show(n);
  } catch (error) {
    panel.showError(error.message);
  }
}

function fetchAhead(n) {
  const quiet = () => {}; // it is said when the frame is shown
  clip.frame(n).catch(quiet);
  clip.mask("labels", n, state.frames[n]).catch(quiet);
  if (compare.on && state.result) clip.result(n, state.result.version).catch(quiet);
}

/** Asks the server and takes what it says; an older answer never follows a newer. */
async function update() {
  const mine = ++asked;
  const next = await api.state();
  if (mine === asked) take(next);
}

function take(next) {
  const before = state;
  state = next;
  const key = next.clip && new Clip(next.clip).key;
  if (key !== (clip && clip.key)) openClip(next);
  announce(before.job, next.job);
  if (!clip) {
    render();
    return;
  }
  const result = compare.on && next.result ? next.result.version : -1;
  const other = next.frames[current].version !== shown.version;
  const free = !editor.drawing && !saver.isWaiting(current) && !player.playing;
  if ((other || result !== shown.result) && free) go(current);
  if (!settingsTimer && dilation !== next.dilation) grow(next.dilation);
  panel.renderObjects(next.objects, editor.object, actions);
  render();
}

function openClip(next) {
  player.stop();
  clip = next.clip && new Clip(next.clip);
  editor.history.clear();
  saver.clear();
  compare.on = false;
  current = 0;
  shown = { version: -1, result: -1 };
  editor.labels = null;
  note = "";
  if (clip) view.setImageSize(clip.width, clip.height);
  else view.setImageSize(0, 0);
}

/** Says how a job has ended. */
function announce(before, job) {
  const ran = before && before.state === "running";
  if (!job || !ran || job.state === "running") return;
  note = job.message;
  if (job.state === "failed") panel.showError(job.message);
  if (job.state === "done" && job.kind === "inpaint" && state.result) {
    compare.on = true;
  }
}

function render() {
  panel.render(state, {
    current,
    dilation,
    masks,
    note,
    canUndo: editor.history.canUndo,
    canRedo: editor.history.canRedo,
    comparing: compare.on,
    share: compare.share,
    playing: player.playing,
    size: editor.size,
    tool: editor.tool,
    unsaved: saver.busy,
  });
  timeline.show(state.frames, current, state.next_to_paint);
}

function grow(pixels) {
  dilation = pixels;
  overlayOld = true;
  view.redraw();
}

/** Runs something that may fail, one after the other, and asks what came of it. */
function act(action) {
  chain = chain.then(async () => {
    try {
      await action();
      await update();
    } catch (error) {
      panel.showError(error.message);
    }
    render();
  });
  return chain;
}

/** What the server does next must see all that was painted. */
async function sendEdits() {
  if (!(await saver.flush())) throw new Error("what was painted is not saved yet");
}

/** Whether a frame may be changed; where not, says why. */
function mayPaint(frame = current) {
  if (!clip || player.playing || editor.drawing) return false;
  if (!state.frames[frame].locked) return true;
  panel.showError(`frame ${frame} is locked; unlock it (L) to change it`);
  return false;
}

const mayStep = (step) => mayPaint(step.frame);

async function goBy(step, way) {
  if (!step) return;
  if (step.frame !== editor.frame) await show(step.frame);
  editor[way](step);
}

const actions = {
  open: (file) =>
    act(async () => {
      note = `Sending ${file.name}`;
      render();
      try {
        take(await api.openClip(file));
      } finally {
        note = "";
      }
    }),
  step(by) {
    if (!clip) return;
    player.stop();
    go(Math.max(0, Math.min(clip.frame_count - 1, current + by)));
  },
  play() {
    if (!clip) return;
    if (player.playing) player.stop();
    else {
      const { frame_count: count, frame_rate: rate, ahead } = clip;
      player.play(current, count, rate, ahead).catch((e) => panel.showError(e.message));
    }
  },
  tool(name) {
    editor.cancel();
    editor.tool = name;
    compare.on = false;
    viewCanvas.classList.toggle("hand", name === "hand");
    render();
    view.redraw();
  },
  setSize(size) {
    editor.size = Math.max(1, Math.min(200, size));
    render();
    view.redraw();
  },
  resize(way) {
    const by = Math.max(1, Math.round(editor.size / 8));
    actions.setSize(editor.size + way * by);
  },
  object(number) {
    editor.object = number;
    panel.renderObjects(state.objects ?? 0, number, actions);
  },
  undo: () => act(() => goBy(editor.history.undo(mayStep), "takeBack")),
  redo: () => act(() => goBy(editor.history.redo(mayStep), "doAgain")),
  empty: () => mayPaint() && editor.makeEmpty(),
  forget: () =>
    act(async () => {
      editor.forget();
      await sendEdits();
    }),
  lock: () =>
    act(async () => {
      if (!clip) return;
      await sendEdits();
      await api.lock(current, !state.frames[current].locked);
    }),
  next() {
    const n = state.next_to_paint;
    if (n === null) return;
    player.stop();
    go(n);
  },
  propagate: () =>
    act(async () => {
      if (!clip) return;
      await sendEdits();
      note = "";
      await api.propagate();
    }),
  remove: (recipe) =>
    act(async () => {
      await sendEdits();
      note = "";
      await api.inpaint(recipe);
    }),
  stop: () => act(() => api.stop()),
  save: () =>
    act(async () => {
      await sendEdits();
      const { folder } = await api.save();
      note = `Masks are in ${folder}`;
    }),
  dilate(pixels) {
    grow(pixels);
    render();
    clearTimeout(settingsTimer);
    settingsTimer = setTimeout(
      () =>
        act(() => api.settings({ dilation })).then(() => (settingsTimer = undefined)),
      SETTINGS_DELAY,
    );
  },
  masks(wanted = !masks) {
    masks = wanted;
    render();
    view.redraw();
  },
  compare() {
    if (!clip || !state.result) return;
    compare.on = !compare.on;
    render();
    go(current);
  },
  wipe(share) {
    compare.share = share;
    view.redraw();
  },
  zoom: (factor) => clip && view.zoom(factor),
  fit: () => view.fit(),
  help: () => document.getElementById("help").showModal(),
};

/** What a pointer that goes down on the frame is for. */
function claim(event) {
  if (!clip) return "none";
  if (compare.on) return compare.holds(event, view) ? "wipe" : "move";
  if (editor.tool === "hand") return "move";
  return mayPaint() ? "tool" : "none";
}

pointer.listen(viewCanvas, view, editor, {
  claim,
  onWipe(event) {
    compare.drag(event, view);
    view.redraw();
    render();
  },
  onHover(event) {
    hover = event && event.pointerType !== "touch" ? view.toImage(event) : null;
    view.redraw();
  },
});
panel.bind(actions);
keys.listen(actions);
keys.explain(document.getElementById("keys"));

async function poll() {
  try {
    await saver.flush();
    await update();
  } catch (error) {
    panel.showError(error.message);
  }
  const busy = state.job && state.job.state === "running";
  setTimeout(poll, busy ? BUSY_POLL : CALM_POLL);
}

addEventListener("beforeunload", (event) => {
  if (saver.busy) event.preventDefault();
});
poll();
