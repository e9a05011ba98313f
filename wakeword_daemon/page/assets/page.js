// The page of a wake-word daemon: what it hears comes as server-sent events, and what is pressed
// here goes out as requests. The events are those of docs/protocol.md.

import { Plot } from "./plot.js";

const find = (selector, inside = document) => inside.querySelector(selector);
const HOP_SAMPLES = 1280;
const HEARD = 256; // as many events as the daemon keeps
const DEAD = 12_000; // ms without a sign of life; the server gives one every 5 s
const AGAIN = 2_000;
const CLIPS = 10; // shown at once
const FRESH = 10; // seconds for which a detection is news

// Talking to the server

let token = location.hash.slice(1) || localStorage.getItem("token");
if (location.hash) {
  localStorage.setItem("token", token);
  history.replaceState(null, "", location.pathname);
}

async function ask(method, path, body, signal) {
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const answer = await fetch(`api/${path}`, {
    method, headers, signal, body: body === undefined ? undefined : JSON.stringify(body),
  });
  if (answer.status === 401) showEntry();
  if (!answer.ok) {
    const failure = await answer.json().catch(() => ({}));
    throw new Error(failure.error ?? `the server answered ${answer.status}`);
  }
  return answer;
}

// Do what somebody pressed; say what fails.
async function attempt(action) {
  try {
    const done = await action();
    find("#problem").hidden = true;
    return done;
  } catch (error) {
    const text = error instanceof TypeError ? "the page's server does not answer" : error.message;
    find("#problem").textContent = text;
    find("#problem").hidden = false;
    return undefined;
  }
}

function showEntry() {
  find("#entry").hidden = false;
  find("#main").hidden = true;
  find("#token").focus();
}

find("#entry").addEventListener("submit", (event) => {
  event.preventDefault();
  token = find("#token").value.trim();
  localStorage.setItem("token", token);
  find("#entry").hidden = true;
  find("#main").hidden = false;
  start();
});

// What is known of the daemon

const known = { state: "connecting", reason: "", device: null, until: null, level: null };
const words = new Map(); // name → its view
let detections = [];
let clock = null; // a hop and the sample at its end, which place a detection in the plots
let drawing = false;

const take = {
  info({ state, reason, paused_until, wake }) {
    detections = [];
    say(state, reason, paused_until);
    known.device = null;
    const models = wake.flatMap((program) => program.models);
    chooseWords(Object.fromEntries(models.map((model) => [model.name, model.threshold])));
  },
  state({ state, reason, paused_until, device }) {
    say(state, reason, paused_until);
    known.device = device;
  },
  away({ reason }) {
    say("away", reason);
    known.device = null;
  },
  detection(detection) {
    detections.push(detection);
    detections = detections.slice(-HEARD);
    const { name, score, sample, wall_time } = detection;
    if (Date.now() / 1000 - wall_time > FRESH) return;
    find("#news").textContent = `Heard ${name}, score ${score.toFixed(2)}`;
    if (clock) {
      const hop = clock.hop - Math.round((clock.sample - sample) / HOP_SAMPLES);
      words.get(name)?.plot.mark(hop);
    }
    setTimeout(loadClips, 3_000); // the daemon keeps a clip when it has recorded what follows
  },
  telemetry({ hop, sample, level, noise, scores, thresholds }) {
    chooseWords(thresholds);
    level.forEach((value, at) => levelPlot.add(hop + at, { level: value, noise: noise[at] }));
    for (const [name, values] of Object.entries(scores)) {
      const word = words.get(name);
      values.forEach((score, at) => word?.plot.add(hop + at, { score }));
      if (word) word.score = values.at(-1);
    }
    clock = { hop: hop + level.length - 1, sample };
    if (["listening", "degraded"].includes(known.state)) {
      known.level = { level: level.at(-1), noise: noise.at(-1) };
    }
  },
};

function say(state, reason, until = null) {
  Object.assign(known, { state, reason, until });
  if (!["listening", "degraded"].includes(state)) known.level = null;
}

// The view

const levelPlot = new Plot(find("#level-plot"), {
  lowest: -100, highest: 0, ticks: [-80, -60, -40, -20, 0],
});
levelPlot.styles = [
  { name: "level", tone: "accent", filled: true },
  { name: "noise", tone: "quiet", dashed: true },
];

function show() {
  if (drawing) return;
  drawing = true;
  requestAnimationFrame(() => {
    drawing = false;
    showState();
    showLevel();
    for (const word of words.values()) word.show();
    showHeard();
  });
}

// Only what changed is written, so that a screen reader says each thing once.
function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function counted(number, one) {
  return `${number} ${one}${number === 1 ? "" : "s"}`;
}

function showState() {
  const { state, reason, device, until } = known;
  const view = find("#state");
  view.className = state;
  write(find(".name", view), state);
  let more = reason;
  if (state === "listening" && device) more = `on ${device}`;
  if (state === "paused") more = until ? `until ${time(until)}` : "until you resume";
  write(find(".reason", view), more);
  document.title = `${state} – wakeword`;
  const paused = state === "paused";
  const pause = find("#pause");
  const resume = find("#resume");
  const held = pause.contains(document.activeElement) || document.activeElement === resume;
  const changed = pause.hidden !== paused;
  pause.hidden = paused;
  resume.hidden = !paused;
  if (held && changed) (paused ? resume : find("button", pause)).focus();
}

function showLevel() {
  const figures = known.level;
  write(find("#level"), figures
    ? `${decibels(figures.level)} dBFS, noise ${decibels(figures.noise)}`
    : "no sound");
  levelPlot.draw();
}

function showHeard() {
  const rows = find("#heard tbody");
  const last = detections.at(-1);
  const key = last ? `${last.start_id} ${last.sequence} ${detections.length}` : "";
  if (rows.dataset.key === key) return;
  rows.dataset.key = key;
  find("#heard").hidden = !last;
  find("#nothing-heard").hidden = Boolean(last);
  rows.replaceChildren(...detections.toReversed().map((one) => {
    const row = document.createElement("tr");
    const ratio = one.snr === null ? "" : `${decibels(one.snr)} dB`;
    for (const text of [time(one.wall_time), one.name, one.score.toFixed(3), ratio]) {
      row.insertCell().textContent = text;
    }
    return row;
  }));
}

class Word {
  constructor(name, threshold) {
    const view = find("#word").content.cloneNode(true).firstElementChild;
    this.view = view;
    this.name = name;
    this.threshold = threshold;
    this.score = null;
    this.unsaved = false;
    this.pending = 0; // requests whose answers are awaited
    this.sending = Promise.resolve();
    this.settled = 0; // until then telemetry may tell the threshold from before
    find("h3", view).textContent = name;
    this.slider = find("input", view);
    this.slider.id = `threshold-${name}`;
    const label = find("label", view);
    label.htmlFor = this.slider.id;
    label.append(Object.assign(document.createElement("span"), {
      className: "unseen", textContent: ` of ${name}`,
    }));
    this.save = find("button", view);
    this.save.setAttribute("aria-label", `Save the threshold of ${name}`);
    const canvas = find("canvas", view);
    canvas.setAttribute("aria-label", `Score of ${name} in the last 30 seconds, and its threshold`);
    this.plot = new Plot(canvas, { lowest: 0, highest: 1, ticks: [0, 0.5, 1] });
    this.plot.limit = () => this.threshold;
    this.plot.styles = [
      { name: "score", tone: "accent", filled: true, above: "good", limit: () => this.threshold },
    ];
    this.slider.addEventListener("input", () => {
      this.threshold = Number(this.slider.value);
      this.unsaved = true;
      this.save.disabled = false; // at once, so that Tab finds it
      show();
    });
    this.slider.addEventListener("change", () => this.set(false));
    this.save.addEventListener("click", () => this.set(true));
  }

  // Take the threshold in force, unless another one is being chosen here.
  take(threshold) {
    const chosen = this.pending || performance.now() < this.settled;
    if (!chosen && !this.slider.matches(":active")) this.threshold = threshold;
  }

  // Tell the daemon the threshold. One request at a time: the last one must arrive last.
  set(save) {
    this.pending += 1;
    this.sending = this.sending.then(() => this.send(save));
  }

  async send(save) {
    const done = await attempt(async () => {
      const wanted = { word: this.name, threshold: this.threshold, save };
      return (await ask("POST", "threshold", wanted)).json();
    });
    this.pending -= 1;
    this.settled = performance.now() + 500;
    if (save && done?.saved) {
      this.unsaved = false;
      find("#news").textContent = `Saved to ${done.saved}`;
      if (document.activeElement === this.save) this.slider.focus();
    }
    show();
  }

  show() {
    const { score, threshold, unsaved, slider } = this;
    write(find(".figures", this.view), score === null ? "" : `score ${score.toFixed(3)}`);
    this.view.classList.toggle("reached", score !== null && score >= threshold);
    const text = String(Number(threshold.toFixed(3)));
    if (Number(slider.value) !== threshold) slider.value = threshold;
    slider.setAttribute("aria-valuetext", text + (unsaved ? ", not saved" : ""));
    write(find("output", this.view), text);
    this.save.disabled = !unsaved;
    this.plot.draw();
  }
}

function chooseWords(thresholds) {
  const names = Object.keys(thresholds);
  if (names.join() !== [...words.keys()].join()) {
    const before = new Map(words);
    words.clear();
    for (const name of names) words.set(name, before.get(name) ?? new Word(name, thresholds[name]));
    find("#words").replaceChildren(...[...words.values()].map((word) => word.view));
  }
  for (const [name, threshold] of Object.entries(thresholds)) words.get(name).take(threshold);
}

const decibels = (value) => String(Math.round(value)).replace("-", "\u2212");

function time(seconds) {
  const when = new Date(seconds * 1000);
  const today = when.toDateString() === new Date().toDateString();
  const clock = when.toLocaleTimeString([], { hourCycle: "h23" });
  return today ? clock : `${when.toLocaleDateString()} ${clock}`;
}

find("#pause").addEventListener("submit", (event) => {
  event.preventDefault();
  const minutes = Number(find("#minutes").value) || null;
  attempt(() => ask("POST", "pause", { minutes }));
});
find("#resume").addEventListener("click", () => attempt(() => ask("POST", "resume")));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", show);

// The clips

const clips = { all: [], views: new Map(), shown: CLIPS };
const player = new Audio();

async function loadClips() {
  if (document.hidden) return;
  try {
    const answer = await (await ask("GET", "clips")).json();
    clips.all = answer.clips;
    clips.folder = answer.folder;
  } catch {
    return; // the state says that the server does not answer
  }
  showClips();
}

function showClips() {
  const { all, views, folder } = clips;
  const waiting = all.filter((clip) => clip.label === null);
  // One that was just labelled stays, or the next would jump under the finger.
  const listed = find("#all-clips").checked
    ? all
    : all.filter((clip) => clip.label === null || views.has(clip.name));
  const shown = listed.slice(0, clips.shown);
  write(find("#clips-count"), all.length ? `${waiting.length} of ${all.length} without a label` : "");
  write(find("#no-clips"), all.length ? "" : `There are none in ${folder}. ` +
    "The daemon keeps some if its config says “clips: {keep: true}”.");
  find("#no-clips").hidden = all.length > 0;
  const names = new Set(shown.map((clip) => clip.name));
  for (const [name, view] of views) {
    if (!names.has(name)) {
      view.remove();
      views.delete(name);
    }
  }
  shown.forEach((clip, at) => {
    const view = views.get(clip.name) ?? makeClip(clip);
    views.set(clip.name, view);
    showLabel(view, clip);
    const list = find("#clips");
    if (list.children[at] !== view) list.insertBefore(view, list.children[at] ?? null);
  });
  find("#more-clips").hidden = shown.length === listed.length;
}

function makeClip(clip) {
  const view = find("#clip").content.cloneNode(true).firstElementChild;
  const kind = clip.kind === "detection" ? "reported" : "not reported";
  find("strong", view).textContent = clip.word;
  const when = find("time", view);
  when.textContent = time(clip.wall_time);
  when.dateTime = new Date(clip.wall_time * 1000).toISOString();
  find(".quiet", view).textContent =
    `${kind}: score ${clip.score.toFixed(3)}, threshold ${Number(clip.threshold.toFixed(3))}`;
  const title = `${clip.word}, ${when.textContent}`;
  find(".play", view).setAttribute("aria-label", `Play ${title}`);
  find(".delete", view).setAttribute("aria-label", `Delete ${title}`);
  find("[role=group]", view).setAttribute("aria-label", `Was it said? ${title}`);
  const path = `clips/${encodeURIComponent(clip.name)}`;
  find(".play", view).addEventListener("click", (event) => play(event.target, path));
  const [said, unsaid] = clip.labels;
  const label = (value) => attempt(async () => {
    const one = clips.all.find(({ name }) => name === clip.name) ?? clip;
    const wanted = one.label === value ? null : value; // pressed again, it is taken back
    one.label = (await (await ask("POST", `${path}/label`, { label: wanted })).json()).label;
    showClips();
  });
  find(".said", view).addEventListener("click", () => label(said));
  find(".unsaid", view).addEventListener("click", () => label(unsaid));
  find(".delete", view).addEventListener("click", () => {
    if (confirm(`Delete the clip ${title}?`)) {
      attempt(async () => {
        await ask("DELETE", path);
        const next = view.nextElementSibling ?? view.previousElementSibling;
        await loadClips();
        find(".play", next ?? document)?.focus();
      });
    }
  });
  return view;
}

function showLabel(view, clip) {
  const [said, unsaid] = clip.labels;
  find(".said", view).setAttribute("aria-pressed", String(clip.label === said));
  find(".unsaid", view).setAttribute("aria-pressed", String(clip.label === unsaid));
}

let playing = null; // the button of the clip that plays

async function play(button, path) {
  const again = playing === button;
  stopPlaying();
  if (again) return;
  await attempt(async () => {
    const sound = await (await ask("GET", path)).blob();
    player.src = URL.createObjectURL(sound);
    playing = button;
    button.textContent = "Stop";
    await player.play();
  });
}

function stopPlaying() {
  player.pause();
  if (player.src) URL.revokeObjectURL(player.src);
  if (playing) playing.textContent = "Play";
  playing = null;
}

player.addEventListener("ended", stopPlaying);
find("#all-clips").addEventListener("change", () => {
  for (const view of clips.views.values()) view.remove();
  clips.views.clear();
  showClips();
});
find("#more-clips").addEventListener("click", () => {
  clips.shown += CLIPS;
  showClips();
});

// The details, while they are open

async function showDetails() {
  if (!find("#details").open || document.hidden) return;
  const list = find("#details dl");
  let rows;
  try {
    const status = await (await ask("GET", "status")).json();
    const { capture, subscribers } = status;
    rows = {
      device: status.device ? `${status.device} at ${status.rate} Hz` : "none",
      engine: `step in ${status.step}`,
      hops: `${status.hops}, ${counted(status.backlog, "sample")} behind`,
      "missing audio": `${counted(status.gaps, "gap")}, ${(status.lost / 16_000).toFixed(2)} s`,
      "device trouble": `${counted(capture.overflows, "overrun")}, ${counted(capture.reopened, "reopening")}`,
      subscribers: subscribers.map(({ peer }) => peer).join("; "),
      memory: `${(status.rss / 1e6).toFixed(1)} MB`,
      CPU: `${((100 * status.cpu) / Math.max(status.uptime, 1)).toFixed(1)} % of a core`,
      "up for": `${Math.floor(status.uptime / 3600)} h ${Math.floor(status.uptime / 60) % 60} min`,
      process: String(status.pid),
    };
  } catch (error) {
    rows = { daemon: error.message };
  }
  list.replaceChildren(...Object.entries(rows).flatMap(([name, value]) => [
    Object.assign(document.createElement("dt"), { textContent: name }),
    Object.assign(document.createElement("dd"), { textContent: value }),
  ]));
}

find("#details").addEventListener("toggle", showDetails);
setInterval(showDetails, 5_000);

// Watching, as long as the page is seen

let watching = null;

function start() {
  watching?.abort();
  watching = new AbortController();
  follow(watching.signal);
  loadClips();
  showDetails();
}

async function follow(signal) {
  while (!signal.aborted) {
    const dead = new AbortController();
    const stop = () => dead.abort();
    signal.addEventListener("abort", stop);
    try {
      await receive(dead);
    } catch (error) {
      if (signal.aborted) return;
      say("away", error instanceof TypeError || error.name === "AbortError"
        ? "the page's server does not answer"
        : error.message);
      show();
      if (!find("#entry").hidden) return;
    } finally {
      signal.removeEventListener("abort", stop);
    }
    await new Promise((done) => setTimeout(done, AGAIN));
  }
}

async function receive(dead) {
  const answer = await ask("GET", "events", undefined, dead.signal);
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  let timer = 0;
  try {
    for (;;) {
      clearTimeout(timer);
      timer = setTimeout(() => dead.abort(), DEAD);
      const { done, value } = await reader.read();
      if (done) throw new TypeError("the connection ended");
      const parts = (rest + value).split("\n\n");
      rest = parts.pop();
      for (const part of parts) {
        if (!part.startsWith("data: ")) continue;
        const { type, data } = JSON.parse(part.slice(6));
        take[type]?.(data);
      }
      show();
    }
  } finally {
    clearTimeout(timer);
  }
}

document.addEventListener("visibilitychange", () => {
  if (document.hidden) watching?.abort();
  else start();
});
start();
