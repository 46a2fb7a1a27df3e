// Where the tasks of a DAG stand when it is drawn from left to right: columns by depth, rows with few crossings.

/** A task and what it follows. `group` is the id of its innermost group, null at the top. */
export interface DrawnNode { readonly id: string; readonly after: readonly string[]; readonly group: string | null }

/** A place in a column: a task, or (`id` null) a bend of an edge that passes by. Rows and columns count from 0. */
export interface Cell { readonly id: string | null; readonly column: number; row: number }

/** A piece of an edge between neighbouring columns. `source` and `target` are the tasks at its ends. */
export interface Segment { readonly from: Cell; readonly to: Cell; readonly source: string; readonly target: string }

/** Cells by column, pieces of edges, and how many rows there are. */
export interface Layout { readonly columns: readonly (readonly Cell[])[]; readonly segments: readonly Segment[]; readonly rows: number }

const SWEEPS = 6;

/** Lays a graph without cycles out. What a node follows and is not among the nodes is left out. */
export function layOut(nodes: readonly DrawnNode[]): Layout {
  const depths = depthsOf(nodes);
  const columns: Cell[][] = [];
  const cells = new Map<string, Cell>();
  const place = (id: string | null, column: number): Cell => {
    const cell: Cell = { id, column, row: 0 };
    (columns[column] ??= []).push(cell);
    return cell;
  };
  for (const node of nodes) cells.set(node.id, place(node.id, depths.get(node.id) ?? 0));
  const segments: Segment[] = [];
  for (const node of nodes) {
    const target = cells.get(node.id);
    for (const before of node.after) {
      const source = cells.get(before);
      if (source === undefined || target === undefined) continue;
      let from = source;
      for (let column = source.column + 1; column < target.column; column += 1) {
        const bend = place(null, column);
        segments.push({ from, to: bend, source: before, target: node.id });
        from = bend;
      }
      segments.push({ from, to: target, source: before, target: node.id });
    }
  }
  const filled = Array.from(columns, (column) => column ?? []);
  order(filled, segments, new Map(nodes.map((node) => [node.id, node.group])));
  return { columns: filled, segments, rows: Math.max(0, ...filled.flat().map((cell) => cell.row + 1)) };
}

/** The longest way from a start; what stands on a cycle counts as a start. */
function depthsOf(nodes: readonly DrawnNode[]): ReadonlyMap<string, number> {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const depths = new Map<string, number>();
  for (const start of nodes) {
    const stack = [start];
    while (stack.length > 0) {
      const node = stack[stack.length - 1] ?? start;
      const before = node.after.flatMap((id) => byId.get(id) ?? []);
      const open = before.find((one) => !depths.has(one.id) && !stack.includes(one));
      if (open !== undefined) stack.push(open);
      else {
        depths.set(node.id, Math.max(0, ...before.map((one) => (depths.get(one.id) ?? -1) + 1)));
        stack.pop();
      }
    }
  }
  return depths;
}

/** Orders each column by the middle of its neighbours, forth and back; then gives rows so that lines run straight. */
function order(columns: Cell[][], segments: readonly Segment[], groups: ReadonlyMap<string, string | null>): void {
  const before = neighbours(segments, 'to', 'from');
  const after = neighbours(segments, 'from', 'to');
  for (const column of columns) column.forEach((cell, row) => void (cell.row = row));
  for (let sweep = 0; sweep < SWEEPS; sweep += 1) {
    const isForth = sweep % 2 === 0;
    for (const column of isForth ? columns : [...columns].reverse()) sortColumn(column, { neighbours: isForth ? before : after, groups });
  }
  for (const column of columns) {
    let next = 0;
    for (const cell of column) {
      cell.row = Math.max(next, Math.floor(middle((before.get(cell) ?? []).map((one) => one.row), next)));
      next = cell.row + 1;
    }
  }
}

function neighbours(segments: readonly Segment[], of: 'from' | 'to', to: 'from' | 'to'): ReadonlyMap<Cell, readonly Cell[]> {
  const found = new Map<Cell, Cell[]>();
  for (const segment of segments) {
    const list = found.get(segment[of]);
    if (list === undefined) found.set(segment[of], [segment[to]]);
    else list.push(segment[to]);
  }
  return found;
}

/** Members of a group stay side by side: the group as a whole stands at its middle. */
function sortColumn(column: Cell[], by: { readonly neighbours: ReadonlyMap<Cell, readonly Cell[]>; readonly groups: ReadonlyMap<string, string | null> }): void {
  const own = new Map(column.map((cell) => [cell, middle((by.neighbours.get(cell) ?? []).map((one) => one.row), cell.row)]));
  const groupOf = (cell: Cell): string | null => (cell.id === null ? null : by.groups.get(cell.id) ?? null);
  const members = new Map<string, number[]>();
  for (const cell of column) {
    const group = groupOf(cell);
    if (group !== null) members.set(group, [...(members.get(group) ?? []), own.get(cell) ?? 0]);
  }
  const outer = (cell: Cell): number => {
    const group = groupOf(cell);
    return group === null ? own.get(cell) ?? 0 : middle(members.get(group) ?? [], 0);
  };
  const indexes = new Map(column.map((cell, index) => [cell, index]));
  const inner = (cell: Cell): number => own.get(cell) ?? 0;
  column.sort((a, b) => outer(a) - outer(b) || (groupOf(a) ?? '').localeCompare(groupOf(b) ?? '') || inner(a) - inner(b) || (indexes.get(a) ?? 0) - (indexes.get(b) ?? 0));
  column.forEach((cell, row) => void (cell.row = row));
}

function middle(rows: readonly number[], otherwise: number): number {
  return rows.length === 0 ? otherwise : rows.reduce((sum, row) => sum + row, 0) / rows.length;
}
