// The server's routes. Each call answers with what the server says, or throws an
// Error with the server's one line and its `status`.

async function call(method, path, body, headers = {}) {
  let response;
  try {
    response = await fetch(path, { method, body, headers, credentials: "same-origin" });
  } catch {
    throw new Error("the server does not answer; is bin/mask --serve still running?");
  }
  if (response.ok) return response;
  let line = `${response.status} ${response.statusText}`;
  try {
    line = (await response.json()).error ?? line;
  } catch {
    // Not JSON: the status says it.
  }
  throw Object.assign(new Error(line), { status: response.status });
}

const JSON_BODY = { "Content-Type": "application/json" };

const json = (method, path, value) =>
  call(method, path, JSON.stringify(value), JSON_BODY);

export const state = async () => (await call("GET", "/api/state")).json();

export async function openClip(file) {
  const form = new FormData();
  form.append("file", file);
  return (await call("POST", "/api/clip", form)).json();
}

export const frame = async (clip, n) =>
  (await call("GET", `/api/frames/${n}.jpg?clip=${encodeURIComponent(clip)}`)).blob();

export const result = async (version, n) =>
  (await call("GET", `/api/result/${n}.jpg?v=${version}`)).blob();

/** `layer` is "labels" or "strokes". */
export const mask = async (layer, n, version) =>
  (await call("GET", `/api/${layer}/${n}.png?v=${version}`)).arrayBuffer();

export const putMask = (layer, n, png) =>
  call("PUT", `/api/${layer}/${n}.png`, png, { "Content-Type": "image/png" });

export const forget = (n) => call("DELETE", `/api/labels/${n}.png`);
export const lock = (n, locked) => json("POST", `/api/lock/${n}`, { locked });
export const settings = (values) => json("POST", "/api/settings", values);
export const propagate = () => json("POST", "/api/propagate", {});
export const inpaint = (config) => json("POST", "/api/inpaint", { config });
export const stop = () => json("POST", "/api/stop", {});
export const save = async () => (await json("POST", "/api/save", {})).json();
