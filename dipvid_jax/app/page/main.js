// The page: the server's state, and what each control does with it.

import * as api from "./api.js";
import * as keys from "./keys.js";
import * as panel from "./panel.js";
import { Player } from "./player.js";
import * as pointer from "./pointer.js";
import { Saver } from "./saving.js";
import { Sight } from "./sight.js";
import { Timeline } from "./timeline.js";

const BUSY_POLL = 500; // milliseconds between questions while a job runs
const CALM_POLL = 3000;
const SETTINGS_DELAY = 250;

let state = { clip: null, frames: [], job: null, result: null, next_to_paint: null };
let note = ""; // the line at the bottom, while nothing runs
let asked = 0;
let chain = Promise.resolve();
let settingsTimer;
let pollTimer;

const say = (error) => panel.showError(error.message);
const running = () => state.job !== null && state.job.state === "running";

const saver = new Saver(() => update().catch(say), panel.showError);
const canvas = document.getElementById("view");
const sight = new Sight(canvas, saver, render);
const { editor, view, compare } = sight;
const timeline = new Timeline(document.getElementById("timeline"), (n) => {
  player.stop();
  go(n);
});
const player = new Player(
  (n) => sight.show(n, state),
  (n) => sight.fetchAhead(n, state),
  render,
);

/** Shows a frame; where that fails, says why. */
async function go(n) {
  if (sight.clip) await sight.show(n, state).catch(say);
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
  if (isOther(before.clip, next.clip)) {
    player.stop();
    saver.clear();
    sight.open(next.clip);
    note = "";
  }
  announce(before.job);
  if (sight.clip) {
    if (sight.isOld(state) && !player.playing) go(sight.frame);
    if (!settingsTimer && sight.dilation !== state.dilation) sight.grow(state.dilation);
    panel.renderObjects(state.objects, editor.object, actions);
  }
  render();
  pollIn(running() ? BUSY_POLL : CALM_POLL);
}

const isOther = (one, other) => JSON.stringify(one) !== JSON.stringify(other);

/** Says how a job has ended that was running before. */
function announce(before) {
  const { job, result } = state;
  if (!before || before.state !== "running" || !job || running()) return;
  note = job.message;
  if (job.state === "failed") panel.showError(job.message);
  if (job.state === "done" && job.kind === "inpaint" && result) compare.on = true;
}

function render() {
  panel.render(state, {
    current: sight.frame,
    dilation: sight.dilation,
    masks: sight.masks,
    comparing: compare.on,
    share: compare.share,
    canUndo: editor.history.canUndo,
    canRedo: editor.history.canRedo,
    size: editor.size,
    tool: editor.tool,
    playing: player.playing,
    unsaved: saver.busy,
    note,
  });
  timeline.show(state.frames, sight.frame, state.next_to_paint);
}

/** Runs actions of the server one after the other, and asks what came of each. */
function act(action) {
  chain = chain.then(async () => {
    try {
      await action();
      await update();
    } catch (error) {
      say(error);
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
function mayPaint(frame = sight.frame) {
  if (!sight.clip || player.playing || editor.drawing) return false;
  if (!state.frames[frame].locked) return true;
  panel.showError(`frame ${frame} is locked; unlock it (L) to change it`);
  return false;
}

async function follow(step, way) {
  if (!step) return;
  if (step.frame !== editor.frame) await sight.show(step.frame, state);
  editor[way](step);
}

const mayStep = (step) => mayPaint(step.frame);

/** An action of the server, after all that was painted has been sent. */
const afterEdits = (action) =>
  act(async () => {
    if (!sight.clip) return;
    await sendEdits();
    note = "";
    await action();
  });

const onServer = {
  open: (file) =>
    act(async () => {
      note = `Sending ${file.name}`;
      render();
      try {
        await api.openClip(file);
      } finally {
        note = "";
      }
    }),
  undo: () => act(() => follow(editor.history.undo(mayStep), "takeBack")),
  redo: () => act(() => follow(editor.history.redo(mayStep), "doAgain")),
  forget: () =>
    afterEdits(async () => {
      editor.forget();
      await sendEdits();
    }),
  lock: () =>
    afterEdits(() => api.lock(sight.frame, !state.frames[sight.frame].locked)),
  propagate: () => afterEdits(api.propagate),
  remove: (recipe) => afterEdits(() => api.inpaint(recipe)),
  stop: () => act(api.stop),
  save: () =>
    afterEdits(async () => {
      note = `Masks are in ${(await api.save()).folder}`;
    }),
  dilate(pixels) {
    sight.grow(pixels);
    clearTimeout(settingsTimer);
    settingsTimer = setTimeout(async () => {
      await act(() => api.settings({ dilation: sight.dilation }));
      settingsTimer = undefined;
    }, SETTINGS_DELAY);
  },
};

const onPage = {
  step(by) {
    if (!sight.clip) return;
    player.stop();
    go(Math.max(0, Math.min(sight.clip.frame_count - 1, sight.frame + by)));
  },
  next() {
    if (state.next_to_paint === null) return;
    player.stop();
    go(state.next_to_paint);
  },
  play() {
    if (!sight.clip) return;
    const { frame_count: count, frame_rate: rate, ahead } = sight.clip;
    if (player.playing) player.stop();
    else player.play(sight.frame, count, rate, ahead).catch(say);
  },
  tool(name) {
    editor.cancel();
    editor.tool = name;
    compare.on = false;
    canvas.classList.toggle("hand", name === "hand");
    sight.hover(null);
    render();
  },
  setSize(size) {
    editor.size = Math.max(1, Math.min(200, size));
    view.redraw();
    render();
  },
  resize(way) {
    onPage.setSize(editor.size + way * Math.max(1, Math.round(editor.size / 8)));
  },
  object(number) {
    editor.object = number;
    panel.renderObjects(state.objects ?? 0, number, actions);
  },
  empty: () => mayPaint() && editor.makeEmpty(),
  masks(wanted = !sight.masks) {
    sight.masks = wanted;
    view.redraw();
    render();
  },
  compare() {
    if (!sight.clip || !state.result) return;
    compare.on = !compare.on;
    render();
    go(sight.frame);
  },
  wipe: (share) => sight.wipe(share),
  zoom: (factor) => sight.clip && view.zoom(factor),
  fit: () => view.fit(),
  help: () => document.getElementById("help").showModal(),
};

const actions = { ...onServer, ...onPage };

/** What a pointer that goes down on the frame is for. */
function claim(event) {
  if (!sight.clip) return "none";
  if (compare.on) return compare.holds(event, view) ? "wipe" : "move";
  if (editor.tool === "hand") return "move";
  return mayPaint() ? "tool" : "none";
}

function pollIn(pause) {
  clearTimeout(pollTimer);
  pollTimer = setTimeout(poll, pause);
}

async function poll() {
  try {
    await saver.flush();
    await update();
  } catch (error) {
    say(error);
    pollIn(CALM_POLL);
  }
}

pointer.listen(canvas, view, editor, {
  claim,
  onWipe(event) {
    compare.drag(event, view);
    sight.wipe(compare.share);
  },
  onHover: (event) => sight.hover(event),
});
panel.bind(actions);
keys.listen(actions);
keys.explain(document.getElementById("keys"));
addEventListener("beforeunload", (event) => {
  if (saver.busy) event.preventDefault();
});
poll();
