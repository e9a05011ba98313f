// A plot of the last 30 seconds that scrolls to the left, a value a hop of 80 ms.

const HOPS = 375;
const HOP_SECONDS = 0.08;
const EDGE = { left: 34, right: 4, top: 6, bottom: 18 };

export class Plot {
  // lowest, highest: the ends of the scale; ticks: where it is labelled.
  constructor(canvas, { lowest, highest, ticks }) {
    this.canvas = canvas;
    this.lowest = lowest;
    this.highest = highest;
    this.ticks = ticks;
    this.series = {};
    this.marks = []; // hops
    this.newest = 0;
    new ResizeObserver(() => this.draw()).observe(canvas);
  }

  // Add the values of one hop. A hop that is missing leaves a gap.
  add(hop, values) {
    if (hop <= this.newest) this.clear(); // another run of the daemon
    this.newest = hop;
    for (const [name, value] of Object.entries(values)) {
      const points = (this.series[name] ??= []);
      points.push([hop, value]);
      while (points[0][0] <= hop - HOPS) points.shift();
    }
  }

  mark(hop) {
    this.marks = this.marks.filter((one) => one > this.newest - HOPS);
    this.marks.push(hop);
  }

  clear() {
    this.series = {};
    this.marks = [];
    this.newest = 0;
  }

  draw() {
    const { canvas } = this;
    const ratio = window.devicePixelRatio || 1;
    const width = canvas.clientWidth;
    const height = canvas.clientHeight;
    if (!width || !height) return;
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    const pen = canvas.getContext("2d");
    pen.scale(ratio, ratio);
    const style = getComputedStyle(canvas);
    const colour = (name) => style.getPropertyValue(`--${name}`);
    pen.font = `12px ${style.fontFamily}`;
    this.right = width - EDGE.right;
    this.bottom = height - EDGE.bottom;
    this.step = (this.right - EDGE.left) / HOPS;
    this.axes(pen, colour("line"), colour("quiet"));
    for (const hop of this.marks) this.upright(pen, hop, colour("good"));
    for (const { name, tone, filled, dashed, limit, above } of this.styles ?? []) {
      const runs = this.runs(this.series[name] ?? []);
      if (filled) for (const run of runs) this.area(pen, run, colour(tone));
      if (above) for (const run of runs) this.bars(pen, run, limit(), colour(above));
      pen.setLineDash(dashed ? [5, 4] : []);
      for (const run of runs) this.line(pen, run, colour(tone));
      pen.setLineDash([]);
    }
    if (this.limit) this.rule(pen, this.limit(), colour("warn"));
  }

  x(hop) { return this.right - (this.newest - hop + 0.5) * this.step; }

  y(value) {
    const share = (value - this.lowest) / (this.highest - this.lowest);
    return this.bottom - Math.min(Math.max(share, 0), 1) * (this.bottom - EDGE.top);
  }

  axes(pen, lineColour, textColour) {
    pen.strokeStyle = lineColour;
    pen.fillStyle = textColour;
    pen.lineWidth = 1;
    pen.textAlign = "right";
    pen.textBaseline = "middle";
    for (const tick of this.ticks) {
      const y = Math.round(this.y(tick)) + 0.5;
      stroke(pen, [[EDGE.left, y], [this.right, y]]);
      pen.fillText(String(tick).replace("-", "\u2212"), EDGE.left - 6, y);
    }
    pen.textBaseline = "alphabetic";
    for (const seconds of [30, 20, 10, 0]) {
      pen.textAlign = seconds === 0 ? "right" : seconds === 30 ? "left" : "center";
      const x = this.right - (seconds / HOP_SECONDS) * this.step;
      pen.fillText(seconds ? `${seconds} s ago` : "now", x, this.bottom + 14);
    }
  }

  upright(pen, hop, colour) {
    if (hop <= this.newest - HOPS) return;
    pen.strokeStyle = pen.fillStyle = colour;
    pen.lineWidth = 1.5;
    const x = this.x(hop);
    stroke(pen, [[x, EDGE.top], [x, this.bottom]]);
    pen.beginPath();
    pen.moveTo(x - 4, EDGE.top - 6);
    pen.lineTo(x + 4, EDGE.top - 6);
    pen.lineTo(x, EDGE.top + 1);
    pen.fill();
  }

  rule(pen, value, colour) {
    pen.strokeStyle = colour;
    pen.lineWidth = 1.5;
    pen.setLineDash([6, 3]);
    const y = this.y(value);
    stroke(pen, [[EDGE.left, y], [this.right, y]]);
    pen.setLineDash([]);
  }

  // Stretches without a gap.
  runs(points) {
    const found = [];
    let last = null;
    for (const point of points) {
      if (last === null || point[0] !== last + 1) found.push([]);
      found.at(-1).push(point);
      last = point[0];
    }
    return found;
  }

  line(pen, run, colour) {
    pen.strokeStyle = colour;
    pen.lineWidth = 1.5;
    pen.lineJoin = "round";
    stroke(pen, run.map(([hop, value]) => [this.x(hop), this.y(value)]));
  }

  area(pen, run, colour) {
    pen.fillStyle = colour;
    pen.globalAlpha = 0.18;
    pen.beginPath();
    pen.moveTo(this.x(run[0][0]), this.bottom);
    for (const [hop, value] of run) pen.lineTo(this.x(hop), this.y(value));
    pen.lineTo(this.x(run.at(-1)[0]), this.bottom);
    pen.fill();
    pen.globalAlpha = 1;
  }

  // What reached the limit.
  bars(pen, run, limit, colour) {
    pen.fillStyle = colour;
    for (const [hop, value] of run) {
      if (value < limit) continue;
      const y = this.y(value);
      pen.fillRect(this.x(hop) - this.step / 2, y, this.step + 0.5, this.bottom - y);
    }
  }
}

function stroke(pen, points) {
  pen.beginPath();
  for (const [x, y] of points) pen.lineTo(x, y);
  pen.stroke();
}
