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
const saver = new Saver(update, (line) => panel.showError(line));
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
  clearTimeout(settingsTimer ? undefined : 0);
  if (!settingsTimer && dilation !== next.dilation) setDilation(next.dilation);
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
