// A DAG's graph for people: lines and boxes of characters in a terminal, or an SVG.
import { type Cell, type DrawnNode, layOut, type Layout, type Segment } from '#core/graph-layout.ts';

/** A task as it is drawn. `note` stands behind its name: mapped, branch, a sensor's name. */
export interface GraphTask extends DrawnNode { readonly label: string; readonly note: string | null }

const UP = 1;
const DOWN = 2;
const LEFT = 4;
const RIGHT = 8;
const LINES: Readonly<Record<number, string>> = {
  [UP]: '│', [DOWN]: '│', [LEFT]: '─', [RIGHT]: '─', [UP | DOWN]: '│', [LEFT | RIGHT]: '─', [DOWN | RIGHT]: '╭', [DOWN | LEFT]: '╮', [UP | RIGHT]: '╰', [UP | LEFT]: '╯',
  [UP | DOWN | RIGHT]: '├', [UP | DOWN | LEFT]: '┤', [DOWN | LEFT | RIGHT]: '┬', [UP | LEFT | RIGHT]: '┴', [UP | DOWN | LEFT | RIGHT]: '┼',
};

/** A grid of characters in which lines that meet join. */
class Canvas {
  readonly #lines = new Map<string, number>();
  readonly #texts: { readonly x: number; readonly y: number; readonly text: string }[] = [];
  #height = 0;

  text(x: number, y: number, text: string): void {
    this.#texts.push({ x, y, text });
    this.#height = Math.max(this.#height, y + 1);
  }

  horizontal(y: number, from: number, to: number): void {
    for (let x = from; x <= to; x += 1) this.#join(x, y, (x > from ? LEFT : 0) | (x < to ? RIGHT : 0));
  }

  vertical(x: number, from: number, to: number): void {
    const [top, bottom] = from < to ? [from, to] : [to, from];
    for (let y = top; y <= bottom; y += 1) this.#join(x, y, (y > top ? UP : 0) | (y < bottom ? DOWN : 0));
  }

  #join(x: number, y: number, directions: number): void {
    this.#lines.set(`${x} ${y}`, (this.#lines.get(`${x} ${y}`) ?? 0) | directions);
    this.#height = Math.max(this.#height, y + 1);
  }

  render(): string {
    const rows = Array.from({ length: this.#height }, (): string[] => []);
    for (const [at, directions] of this.#lines) {
      const [x = 0, y = 0] = at.split(' ').map(Number);
      const row = rows[y];
      if (row !== undefined) row[x] = LINES[directions] ?? ' ';
    }
    for (const { x, y, text } of this.#texts) Array.from(text).forEach((character, index) => void ((rows[y] ?? [])[x + index] = character));
    return rows.map((row) => `${Array.from(row, (character) => character ?? ' ').join('').trimEnd()}\n`).join('');
  }
}

/** The graph in characters, one row per task, read from left to right. */
export function renderGraph(tasks: readonly GraphTask[]): string {
  if (tasks.length === 0) return '(no tasks)\n';
  const layout = layOut(tasks);
  const labels = new Map(tasks.map((task) => [task.id, `○ ${task.label}${task.note === null ? '' : ` (${task.note})`}`]));
  const labelOf = (cell: Cell): string => (cell.id === null ? '' : labels.get(cell.id) ?? cell.id);
  const canvas = new Canvas();
  let x = 0;
  for (const [index, column] of layout.columns.entries()) {
    const width = Math.max(1, ...column.map((cell) => labelOf(cell).length));
    for (const cell of column) {
      if (cell.id !== null) canvas.text(x, cell.row, labelOf(cell));
      else canvas.horizontal(cell.row, x, x + width - 1);
    }
    const own = layout.segments.filter((segment) => segment.from.column === index);
    const tracks = tracksOf(own);
    const gutter = { from: x + width, to: x + width + tracks.size + 3 };
    for (const segment of own) drawSegment(canvas, segment, { start: x + labelOf(segment.from).length + (segment.from.id === null ? width : 1), track: gutter.from + 2 + (tracks.get(segment.from) ?? 0), end: gutter.to });
    x = gutter.to + 2;
  }
  return canvas.render();
}

/** Each cell whose lines bend has a track of its own to bend on, so that lines of two tasks never run together. */
function tracksOf(segments: readonly Segment[]): ReadonlyMap<Cell, number> {
  const bending = [...new Set(segments.filter((segment) => segment.from.row !== segment.to.row).map((segment) => segment.from))];
  // Lines that go down take the outer tracks from the top, so that they nest.
  bending.sort((a, b) => b.row - a.row);
  return new Map(bending.map((cell, index) => [cell, index]));
}

function drawSegment(canvas: Canvas, { from, to }: Segment, at: { readonly start: number; readonly track: number; readonly end: number }): void {
  if (from.row === to.row) canvas.horizontal(from.row, at.start, at.end);
  else {
    canvas.horizontal(from.row, at.start, at.track);
    canvas.vertical(at.track, from.row, to.row);
    canvas.horizontal(to.row, at.track, at.end);
  }
  if (to.id === null) canvas.horizontal(to.row, at.end, at.end + 2);
  else canvas.text(at.end, to.row, '▶');
}

const BOX_HEIGHT = 34;
const ROW_HEIGHT = 52;
const GAP = 64;
const MARGIN = 24;
const CHARACTER = 7.4;

/** The graph as a standalone SVG, light or dark as its viewer is. */
export function renderSvg(title: string, tasks: readonly GraphTask[]): string {
  const layout = layOut(tasks);
  const byId = new Map(tasks.map((task) => [task.id, task]));
  const widths = layout.columns.map((column) => Math.max(20, ...column.map((cell) => boxWidth(byId.get(cell.id ?? '')))));
  const lefts = widths.map((_, index) => MARGIN + widths.slice(0, index).reduce((sum, width) => sum + width + GAP, 0));
  const middleOf = (cell: Cell): number => MARGIN + 24 + cell.row * ROW_HEIGHT + BOX_HEIGHT / 2;
  const left = (cell: Cell): number => lefts[cell.column] ?? 0;
  const right = (cell: Cell): number => left(cell) + (cell.id === null ? widths[cell.column] ?? 0 : boxWidth(byId.get(cell.id)));
  const width = MARGIN + Math.max(0, ...widths.map((one, index) => (lefts[index] ?? 0) + one));
  const height = MARGIN * 2 + 24 + Math.max(1, layout.rows) * ROW_HEIGHT - (ROW_HEIGHT - BOX_HEIGHT);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${round(width)} ${round(height)}" width="${round(width)}" height="${round(height)}" role="img" aria-label="${escape(`Graph of ${title}`)}">`,
    '<style>svg{background:#fff;color:#1b1f24;font:13px ui-sans-serif,system-ui,sans-serif}.t{fill:#f6f8fa;stroke:#57606a}.g{fill:#0969da;fill-opacity:.06;stroke:#0969da;stroke-opacity:.35}.e{fill:none;stroke:#8c959f;stroke-width:1.5}text{fill:currentColor}.n{fill:#57606a;font-size:11px}@media(prefers-color-scheme:dark){svg{background:#0d1117;color:#e6edf3}.t{fill:#161b22;stroke:#8b949e}.n{fill:#8b949e}.e{stroke:#6e7681}}</style>',
    '<defs><marker id="a" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto"><path d="M0 0 8 4 0 8z" fill="#8c959f"/></marker></defs>',
    `<text x="${MARGIN}" y="${MARGIN}" font-weight="600">${escape(title)}</text>`,
    ...frames(layout, tasks).map(({ group, cells }) => {
      const top = Math.min(...cells.map(middleOf)) - BOX_HEIGHT / 2 - 7;
      const from = Math.min(...cells.map(left)) - 9;
      return `<rect class="g" x="${round(from)}" y="${round(top)}" width="${round(Math.max(...cells.map(right)) - from + 9)}" height="${round(Math.max(...cells.map(middleOf)) + BOX_HEIGHT / 2 + 7 - top)}" rx="8"><title>${escape(group)}</title></rect>`;
    }),
    ...layout.segments.map(({ from, to }) => edge([{ x: left(from), y: middleOf(from) }, { x: right(from), y: middleOf(from) }, { x: left(to), y: middleOf(to) }], { from, to })),
    ...layout.columns.flat().flatMap((cell) => {
      const task = byId.get(cell.id ?? '');
      return task === undefined ? [] : [box(task, { x: left(cell), y: middleOf(cell) - BOX_HEIGHT / 2 })];
    }),
    '</svg>',
  ].join('\n').concat('\n');
}

/** A bend is passed by a straight line, from its left to its right. */
function edge([left, right, to]: readonly [Point, Point, Point], ends: Pick<Segment, 'from' | 'to'>): string {
  const bend = (to.x - right.x) / 2;
  const start = ends.from.id === null ? `M${round(left.x)} ${round(left.y)}H${round(right.x)}` : `M${round(right.x)} ${round(right.y)}`;
  return `<path class="e" d="${start}C${round(right.x + bend)} ${round(right.y)} ${round(to.x - bend)} ${round(to.y)} ${round(to.x)} ${round(to.y)}"${ends.to.id === null ? '' : ' marker-end="url(#a)"'}/>`;
}

function box(task: GraphTask, at: Point): string {
  const note = task.note === null ? '' : `<tspan class="n" dx="6">${escape(task.note)}</tspan>`;
  return `<g><title>${escape(task.id)}</title><rect class="t" x="${round(at.x)}" y="${round(at.y)}" width="${round(boxWidth(task))}" height="${BOX_HEIGHT}" rx="6"/><text x="${round(at.x + 12)}" y="${round(at.y + BOX_HEIGHT / 2 + 4.5)}">${escape(task.label)}${note}</text></g>`;
}

interface Point { readonly x: number; readonly y: number }

function boxWidth(task: GraphTask | undefined): number {
  return task === undefined ? 0 : 24 + task.label.length * CHARACTER + (task.note === null ? 0 : task.note.length * 6.2 + 6);
}

/** A group's frame, where nothing else stands within it. */
function frames(layout: Layout, tasks: readonly GraphTask[]): { readonly group: string; readonly cells: readonly Cell[] }[] {
  const groups = new Set(tasks.flatMap((task) => task.group ?? []));
  const memberOf = new Map(tasks.map((task) => [task.id, task.group]));
  const all = layout.columns.flat();
  return [...groups].flatMap((group) => {
    const isIn = (cell: Cell): boolean => cell.id !== null && (memberOf.get(cell.id) === group || memberOf.get(cell.id)?.startsWith(`${group}.`) === true);
    const cells = all.filter(isIn);
    const within = (cell: Cell): boolean => between(cell.column, cells.map((one) => one.column)) && between(cell.row, cells.map((one) => one.row));
    return all.some((cell) => !isIn(cell) && cell.id !== null && within(cell)) ? [] : [{ group, cells }];
  });
}

function between(value: number, among: readonly number[]): boolean {
  return value >= Math.min(...among) && value <= Math.max(...among);
}

function round(value: number): string {
  return String(Math.round(value * 10) / 10);
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
