// Compares what tasks wrote down themselves with what the engine believes. Shares no code with the engine.

/** One line of the ledger: written and synced by the task's own first and last statement. */
export interface LedgerLine {
  readonly phase: 'START' | 'FINISH';
  readonly execution: string;
  readonly task: string;
  /** Monotonic seconds of this machine. */
  readonly at: number;
}

/** The engine's side, read from its tables. */
export interface Believed {
  readonly run: string;
  readonly tasks: readonly { readonly task: string; readonly state: string | null; readonly tryNumber: number; readonly upstream: readonly string[] }[];
  readonly executions: readonly { readonly id: string; readonly task: string; readonly state: string; readonly attempt: string }[];
}

/** Reads a ledger; a last line that a kill cut short is no line. */
export function parseLedger(text: string): LedgerLine[] {
  return text.split('\n').slice(0, -1).map((line) => {
    const [phase, execution = '', task = '', at] = line.split(' ');
    if (phase !== 'START' && phase !== 'FINISH') throw new Error(`no line of a ledger: ${line}`);
    return { phase, execution, task, at: Number(at) };
  });
}

/** Every contradiction, by the code of its kind: lost, ghost, duplicate, false-success, false-failure, overlap, order, stuck. */
export function findContradictions(ledger: readonly LedgerLine[], believed: Believed): string[] {
  const starts = ledger.filter((line) => line.phase === 'START');
  const finishes = ledger.filter((line) => line.phase === 'FINISH');
  const known = new Map(believed.executions.map((execution) => [execution.id, execution]));
  const found: string[] = [];
  for (const line of ledger) if (known.get(line.execution)?.task !== line.task) found.push(`ghost: ${line.phase} of ${line.task} by ${line.execution}`);
  for (const [execution, count] of countBy(starts, (line) => line.execution)) if (count > 1) found.push(`duplicate: ${execution} started ${count} times`);
  for (const task of believed.tasks) found.push(...judgeTask(task, { starts, finishes, known }), ...judgeOrder(task, { starts, finishes }));
  if (!['success', 'failed'].includes(believed.run)) found.push(`stuck: the run is ${believed.run}`);
  return found;
}

type Task = Believed['tasks'][number];
interface Lines { readonly starts: readonly LedgerLine[]; readonly finishes: readonly LedgerLine[] }

interface Facts extends Lines { readonly known: ReadonlyMap<string, Believed['executions'][number]> }

function judgeTask(task: Task, lines: Facts): string[] {
  const found: string[] = [];
  const starts = lines.starts.filter((line) => line.task === task.task).sort((a, b) => a.at - b.at);
  const finishes = lines.finishes.filter((line) => line.task === task.task);
  const executions = [...lines.known.values()].filter((execution) => execution.task === task.task);
  if (starts.length === 0) found.push(`lost: ${task.task} never started`);
  if (task.state === 'success' && !executions.some((one) => one.state === 'success' && finishes.some((line) => line.execution === one.id))) found.push(`false-success: ${task.task}`);
  if (task.state === 'failed' && finishes.length > 0) found.push(`false-failure: ${task.task}`);
  if (task.state === null || ['running', 'scheduled', 'queued', 'up_for_retry'].includes(task.state)) found.push(`stuck: ${task.task} is ${String(task.state)}`);
  for (const line of finishes) {
    const state = lines.known.get(line.execution)?.state;
    // Killed between its last statement and its report, it was lost like any other, and did it again.
    if (state === 'lost' && executions.some((one) => one.state === 'success')) continue;
    if (state !== undefined && state !== 'success') found.push(`false-failure: ${task.task} finished as ${line.execution}, which is ${state}`);
  }
  return [...found, ...judgeOverlap(task, { starts, finishes, known: lines.known })];
}

function judgeOverlap(task: Task, { starts, finishes, known }: Facts): string[] {
  const found: string[] = [];
  for (const [at, later] of starts.entries()) {
    const earlier = starts[at - 1];
    if (earlier === undefined || earlier.execution === later.execution) continue;
    const wasClosed = known.get(earlier.execution)?.state === 'lost' || finishes.some((line) => line.execution === earlier.execution && line.at <= later.at);
    if (!wasClosed) found.push(`overlap: ${later.execution} of ${task.task} started while ${earlier.execution} was neither finished nor lost`);
  }
  return found;
}

function judgeOrder(task: Task, { starts, finishes }: Lines): string[] {
  const found: string[] = [];
  for (const start of starts.filter((line) => line.task === task.task)) {
    for (const upstream of task.upstream) {
      if (!finishes.some((line) => line.task === upstream && line.at <= start.at)) found.push(`order: ${task.task} started before ${upstream} had finished`);
    }
  }
  return found;
}

function countBy<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, number> {
  const counts = new Map<string, number>();
  for (const item of items) counts.set(keyOf(item), (counts.get(keyOf(item)) ?? 0) + 1);
  return counts;
}
