// The buttons and lines around the frame: they call actions and show the state.

import { colourOf } from "./overlay.js";
import { describe } from "./timeline.js";

const MOST_OBJECTS = 8; // in the panel; the server knows up to 254
const $ = (id) => document.getElementById(id);

const JOBS = {
  open: "Opening the clip",
  propagate: "Propagating",
  inpaint: "Removing",
};

/** Binds every control to `actions`, which says its own name there. */
export function bind(actions) {
  const onClick = {
    back: () => actions.step(-1),
    forward: () => actions.step(1),
    play: () => actions.play(),
    fit: () => actions.fit(),
    smaller: () => actions.zoom(0.8),
    larger: () => actions.zoom(1.25),
    undo: () => actions.undo(),
    redo: () => actions.redo(),
    lock: () => actions.lock(),
    empty: () => actions.empty(),
    forget: () => actions.forget(),
    propagate: () => actions.propagate(),
    next: () => actions.next(),
    remove: () => actions.remove($("recipe").value),
    compare: () => actions.compare(),
    save: () => actions.save(),
    stop: () => actions.stop(),
    "help-button": () => actions.help(),
    "error-close": () => showError(""),
  };
  for (const [id, action] of Object.entries(onClick)) {
    $(id).addEventListener("click", action);
  }
  for (const button of document.querySelectorAll("[data-tool]")) {
    button.addEventListener("click", () => actions.tool(button.dataset.tool));
  }
  $("size").addEventListener("input", () => actions.setSize($("size").valueAsNumber));
  $("dilation").addEventListener("input", () =>
    actions.dilate($("dilation").valueAsNumber),
  );
  $("wipe").addEventListener("input", () =>
    actions.wipe($("wipe").valueAsNumber / 100),
  );
  $("show-masks").addEventListener("change", () =>
    actions.masks($("show-masks").checked),
  );
  bindFiles(actions);
  // A button that was clicked gives the keyboard back to the frame.
  document.addEventListener("click", (event) => {
    if (event.detail && event.target.closest("button")) document.activeElement.blur();
  });
}

function bindFiles(actions) {
  $("file").addEventListener("change", () => {
    const [file] = $("file").files;
    $("file").value = "";
    if (file) actions.open(file);
  });
  const stage = $("stage");
  for (const kind of ["dragover", "dragleave", "drop"]) {
    stage.addEventListener(kind, (event) => {
      event.preventDefault();
      stage.classList.toggle("dropping", kind === "dragover");
      if (kind === "drop" && event.dataTransfer.files[0]) {
        actions.open(event.dataTransfer.files[0]);
      }
    });
  }
}

export function showError(line) {
  $("error").hidden = !line;
  $("error-text").textContent = line;
}

/** Shows what the server and the page know. `local`: the page's own part of it. */
export function render(state, local) {
  const { clip, frames, job } = state;
  const opened = clip !== null;
  $("start").hidden = opened || running(job);
  $("time").hidden = !opened;
  document.querySelector("aside").hidden = !opened;
  document.querySelector("main").classList.toggle("before-clip", !opened);
  $("clip-name").textContent = opened
    ? `${clip.name}, ${clip.height} x ${clip.width}, ${clip.frame_count} frames`
    : "";
  renderJob(state, local);
  if (!opened) return;
  $("stage").style.setProperty("--tall", clip.height / clip.width);
  const frame = frames[local.current];
  $("where").textContent = describe(frames, local.current);
  $("undo").disabled = !local.canUndo;
  $("redo").disabled = !local.canRedo;
  press("lock", frame.locked);
  press("compare", local.comparing);
  press("play", local.playing);
  $("play").textContent = local.playing ? "Pause" : "Play";
  $("forget").disabled = !(frame.painted || frame.locked || frame.strokes);
  $("next").disabled = state.next_to_paint === null;
  const told = frames.some((each) => each.painted || each.locked || each.strokes);
  $("propagate").disabled = running(job) || !told;
  $("remove").disabled = running(job) || !frames.some((each) => each.marked);
  $("compare").disabled = state.result === null;
  $("wipe").hidden = !local.comparing;
  $("wipe").value = Math.round(100 * local.share);
  $("size").value = local.size;
  $("size-value").textContent = `${local.size} px`;
  $("dilation").value = local.dilation;
  $("dilation-value").textContent = `${local.dilation} px`;
  $("show-masks").checked = local.masks;
  for (const button of document.querySelectorAll("[data-tool]")) {
    button.setAttribute("aria-pressed", button.dataset.tool === local.tool);
  }
  renderFiles(state);
}

const running = (job) => job !== null && job.state === "running";

function press(id, pressed) {
  $(id).setAttribute("aria-pressed", pressed);
}

function renderJob(state, local) {
  const { job } = state;
  const busy = running(job);
  $("stop").hidden = !busy;
  $("progress").hidden = !busy;
  if (busy && job.total > 0) {
    $("progress").max = job.total;
    $("progress").value = job.done;
  } else {
    $("progress").removeAttribute("value");
  }
  let line = local.note;
  if (busy) line = job.message || JOBS[job.kind];
  else if (local.unsaved) line = "Saving";
  else if (!line && state.stale) line = "Painted since the last propagation.";
  if ($("status").textContent !== line) $("status").textContent = line;
}

function renderFiles({ frames, result }) {
  const masks = frames.some((frame) => frame.marked);
  enable("masks-zip", masks);
  enable("mask-mp4", masks);
  enable("result-mp4", result !== null);
  $("save").disabled = !masks;
}

function enable(id, enabled) {
  $(id).setAttribute("aria-disabled", !enabled);
  $(id).tabIndex = enabled ? 0 : -1;
}

/** One button an object, and one for another object. */
export function renderObjects(count, chosen, actions) {
  const list = $("object-list");
  const shown = Math.min(MOST_OBJECTS, Math.max(1, count, chosen));
  list.replaceChildren();
  for (let object = 1; object <= shown; object++) {
    const button = document.createElement("button");
    button.className = "object";
    button.textContent = object;
    button.style.setProperty("--object", `rgb(${colourOf(object).join(" ")})`);
    button.setAttribute("aria-label", `Object ${object}`);
    button.setAttribute("aria-pressed", object === chosen);
    button.addEventListener("click", () => actions.object(object));
    list.append(button);
  }
  if (shown === MOST_OBJECTS) return;
  const more = document.createElement("button");
  more.textContent = "Another";
  more.addEventListener("click", () => actions.object(shown + 1));
  list.append(more);
}
