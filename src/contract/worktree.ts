// `.leoflow/worktree.yaml`: what a second working tree of a repository gets; and what `leoflow worktree … --json` and `leoflow lease list --json` print.

/** A file or folder below the primary checkout, and where it stands in the tree; both relative, `/` between parts. `from` may hold * and ?. */
export interface PlacedPath { readonly from: string; readonly to: string }

/** Coding agents whose memory folder can be shared. */
export const MEMORY_AGENTS = ['claude'] as const;
export type MemoryAgent = (typeof MEMORY_AGENTS)[number];

/** The file with its defaults filled in. */
export interface WorktreeFile {
  /** Symbolic links to the primary checkout's own. */
  readonly link: readonly PlacedPath[];
  readonly copy: readonly PlacedPath[];
  /** Copies that share blocks with the original where the file system can. */
  readonly reflink: readonly PlacedPath[];
  /** Files with {{…}} that are filled in for the tree. */
  readonly template: readonly PlacedPath[];
  /** Copies that only the owner may read. */
  readonly secret: readonly PlacedPath[];
  /** Commands that prepare the tree, run by `sh -c` in it once a person has approved them. */
  readonly setup: readonly string[];
  /** Names of ports: PORT_<NAME> in the tree's environment. */
  readonly ports: readonly string[];
  readonly identity: { readonly name: string | null; readonly email: string | null; readonly sign: boolean | null };
  readonly memory: readonly MemoryAgent[];
  /** What may be pushed beside the tree's own branch: refs, with * and ?. `force`: the tree's own branch may be rewritten. */
  readonly push: { readonly allow: readonly string[]; readonly force: boolean };
  /** Names of folders that can be made again: `gc` removes them first, when git ignores them. */
  readonly caches: readonly string[];
}

/** What a value of the file may be: the form behind each key. */
export type WorktreeForm =
  | { readonly kind: 'paths' | 'pairs' | 'texts' | 'names' | 'refs' | 'text' | 'flag' }
  | { readonly kind: 'choices'; readonly of: readonly string[] }
  | { readonly kind: 'mapping'; readonly keys: Readonly<Record<string, WorktreeForm>> };

/** Every key of the file. `paths` are texts or {from, to}; `pairs` only {from, to}. */
export const WORKTREE_FORM: Readonly<Record<keyof WorktreeFile, WorktreeForm>> = {
  link: { kind: 'paths' }, copy: { kind: 'paths' }, reflink: { kind: 'paths' }, template: { kind: 'pairs' }, secret: { kind: 'paths' },
  setup: { kind: 'texts' }, ports: { kind: 'names' },
  identity: { kind: 'mapping', keys: { name: { kind: 'text' }, email: { kind: 'text' }, sign: { kind: 'flag' } } },
  memory: { kind: 'choices', of: MEMORY_AGENTS },
  push: { kind: 'mapping', keys: { allow: { kind: 'refs' }, force: { kind: 'flag' } } },
  caches: { kind: 'texts' },
};

const same = (path: string): PlacedPath => ({ from: path, to: path });

/** What holds where the file says nothing. */
export const WORKTREE_DEFAULTS: WorktreeFile = {
  link: ['.venv', 'venv', '.venv_*', '.env', '.claude/settings.json', '.claude/settings.local.json'].map(same),
  copy: [], reflink: [], template: [], secret: [], setup: [], ports: [], identity: { name: null, email: null, sign: null }, memory: [], push: { allow: [], force: false },
  caches: ['node_modules', 'target', '.mypy_cache', '.pytest_cache', '.ruff_cache', '__pycache__', '.tox', '.nox', '.gradle', '.next', '.nuxt', '.turbo', '.parcel-cache', '.cache'],
};

/** Ports of one tree stand side by side. */
export const PORTS_PER_TREE = 10;

/** Something put into a tree; `kept`: already there, or not wanted, and why. */
export interface PlacedFile {
  readonly how: 'link' | 'copy' | 'reflink' | 'template' | 'secret' | 'memory' | 'include';
  readonly path: string;
  readonly target: string;
  /** Of a copied file, so that a change of it is seen before it is removed. */
  readonly sha256: string | null;
}

/** What is known of a tree: kept in its own folder of the git directory, and printed by `new --json`. */
export interface WorktreeState {
  readonly version: 1;
  readonly branch: string;
  readonly dir: string;
  readonly primary: string;
  readonly remote: string | null;
  /** What its branch began from, and the branch that decides whether it is merged. */
  readonly base: { readonly ref: string; readonly commit: string };
  readonly target: string | null;
  /** ISO 8601, UTC. */
  readonly made_at: string;
  readonly files: readonly PlacedFile[];
  readonly port: number | null;
  readonly port_names: readonly string[];
  readonly compose_project: string;
  readonly database: string;
  readonly temporary: string;
  readonly identity: WorktreeFile['identity'];
  readonly push: WorktreeFile['push'];
  readonly setup: 'none' | 'done' | 'failed' | 'not approved';
  /** Whether `new` made the branch: only then it goes with a tree that is merged. */
  readonly branch_made: boolean;
}

/** `worktree new --json`. */
export interface MadeWorktree extends WorktreeState {
  readonly kind: 'created' | 'attached' | 'tracked' | 'reused';
  /** What a person should know: links without a target, steps that were not run. */
  readonly notes: readonly string[];
}

/** One line of `worktree list --json`. */
export interface ListedWorktree {
  readonly branch: string | null;
  readonly dir: string;
  readonly commit: string | null;
  readonly is_primary: boolean;
  /** Made by `leoflow worktree new`. */
  readonly is_ours: boolean;
  readonly locked: string | null;
  readonly missing: boolean;
  readonly changed: number | null;
  readonly untracked: number | null;
  readonly unpushed: number | null;
  readonly port: number | null;
}

/** One listening socket of `worktree ps --json`. */
export interface Listener {
  readonly port: number;
  readonly address: string;
  readonly pid: number | null;
  readonly command: string | null;
  readonly cwd: string | null;
  /** The tree that the process works in: its branch; `primary`; `foreign` when it is none of this repository. */
  readonly owner: string;
  /** The tree that the port is reserved for. */
  readonly reserved_for: string | null;
}

/** One line of `worktree doctor --json`. */
export interface WorktreeFinding { readonly check: string; readonly state: 'ok' | 'warn' | 'error'; readonly text: string; readonly next: string | null }

/** One thing that `worktree gc` removed, or would. */
export interface CollectedGarbage {
  readonly kind: 'cache' | 'tree' | 'kept';
  readonly dir: string;
  readonly branch: string | null;
  readonly bytes: number | null;
  /** Of a tree: how its branch is merged; of what is kept, why. */
  readonly why: string;
}

/** One line of `lease list --json`. */
export interface ListedLease {
  readonly name: string;
  readonly is_held: boolean;
  readonly pid: number | null;
  /** ISO 8601, UTC. */
  readonly since: string | null;
  readonly worktree: string | null;
  readonly command: readonly string[];
}
