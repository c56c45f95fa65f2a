// The frame in sight: its picture, its layers, the result beside it, and the view that
// draws them over each other.

import { View } from "./canvas.js";
import { Clip, copyOf } from "./clip.js";
import { Compare } from "./compare.js";
import { drawTool } from "./cursor.js";
import { Editor } from "./editor.js";
import { paintOverlay } from "./overlay.js";

const NOTHING = { labels: -1, result: -1 };

export class Sight {
  clip = null;
  frame = 0; // the frame in sight, or on its way there
  masks = true;
  dilation = 0;
  compare = new Compare();
  #hover = null; // image point under the pointer
  #shown = NOTHING; // versions of what is in sight
  #turn = 0;
  #overlayOld = true;
  #picture = document.createElement("canvas");
  #after = document.createElement("canvas");
  #overlay = document.createElement("canvas");
  #saver;
  #onChange;

  constructor(canvas, saver, onChange) {
    this.#saver = saver;
    this.#onChange = onChange;
    this.editor = new Editor(saver, () => this.#changed());
    this.view = new View(
      canvas,
      (context) => this.#draw(context),
      (context) => this.#decorate(context),
    );
  }

  #changed() {
    this.#overlayOld = true;
    this.view.redraw();
    this.#onChange();
  }

  #draw(context) {
    context.drawImage(this.#picture, 0, 0);
    const { labels, strokes } = this.editor;
    if (this.compare.on) {
      this.compare.draw(context, this.view);
    } else if (this.masks && labels) {
      if (this.#overlayOld) paintOverlay(this.#overlay, labels, strokes, this.dilation);
      this.#overlayOld = false;
      context.imageSmoothingEnabled = false;
      context.drawImage(this.#overlay, 0, 0);
    }
  }

  #decorate(context) {
    if (this.compare.on) this.compare.decorate(context, this.view);
    else drawTool(context, this.view, this.editor, this.#hover);
  }

  /** Turns to another clip as the server describes it, or to none (null). */
  open(clip) {
    this.clip = clip && new Clip(clip);
    this.editor.history.clear();
    this.editor.labels = null;
    this.compare.on = false;
    this.frame = 0;
    this.#shown = NOTHING;
    this.#turn++;
    this.view.setImageSize(clip ? clip.width : 0, clip ? clip.height : 0);
  }

  #wantedResult(state) {
    return this.compare.on && state.result ? state.result.version : -1;
  }

  /** Whether the server has something newer than what is in sight. */
  isOld(state) {
    if (this.editor.drawing || this.#saver.isWaiting(this.frame)) return false;
    const { labels, result } = this.#shown;
    const newer = labels !== state.frames[this.frame].version;
    return newer || result !== this.#wantedResult(state);
  }

  /** Brings frame n into sight, with what the server has of it. */
  async show(n, state) {
    const mine = ++this.#turn;
    this.frame = n;
    if (this.#saver.isWaiting(n)) await this.#saver.flush();
    const { clip, editor } = this;
    const about = state.frames[n];
    const version = this.#wantedResult(state);
    const [frame, labels, strokes, result] = await Promise.all([
      clip.frame(n),
      clip.mask("labels", n, about),
      clip.mask("strokes", n, about),
      version < 0 ? null : clip.result(n, version),
    ]);
    if (mine !== this.#turn) return;
    this.#copy(frame, this.#picture);
    if (result) this.#copy(result, this.#after);
    this.compare.result = result && this.#after;
    const edited = editor.drawing || this.#saver.isWaiting(n);
    if (editor.frame !== n || !editor.labels || !edited) {
      this.#shown = { labels: about.version, result: version };
      editor.show(n, copyOf(labels), copyOf(strokes), about.painted);
    }
    this.#changed();
  }

  #copy(image, canvas) {
    canvas.width = this.clip.width;
    canvas.height = this.clip.height;
    canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  }

  /** Fetches what `show` will need, and says nothing where that fails. */
  fetchAhead(n, state) {
    const quiet = () => {};
    const version = this.#wantedResult(state);
    this.clip.frame(n).catch(quiet);
    this.clip.mask("labels", n, state.frames[n]).catch(quiet);
    if (version >= 0) this.clip.result(n, version).catch(quiet);
  }

  grow(pixels) {
    this.dilation = pixels;
    this.#changed();
  }

  /** The pointer is at this event; null when it has left. */
  hover(event) {
    const seen = event && event.pointerType !== "touch";
    this.#hover = seen ? this.view.toImage(event) : null;
    this.view.redraw();
  }

  wipe(share) {
    this.compare.share = share;
    this.#changed();
  }
}
