// The programs that stand between git and a tree: our two hooks, the dispatcher that hands on to the repository's own, and the guard of the shared stash.

/** Hooks that git runs in a working tree. Those of a receiving repository are not of a tree; fsmonitor is set by its path. */
export const HOOK_NAMES = [
  'applypatch-msg', 'pre-applypatch', 'post-applypatch', 'pre-commit', 'pre-merge-commit', 'prepare-commit-msg', 'commit-msg', 'post-commit', 'pre-rebase', 'post-checkout',
  'post-merge', 'pre-push', 'reference-transaction', 'pre-auto-gc', 'post-rewrite', 'sendemail-validate', 'post-index-change', 'p4-changelist', 'p4-prepare-changelist', 'p4-post-changelist', 'p4-pre-submit',
] as const;

/** These run for every ref and every index that is written: they take the folder of the repository's hooks as it was when the tree was entered. */
const FREQUENT = 'reference-transaction|post-index-change';

/**
 * One program for all hooks, called by its name. `own-hooks` holds the folder of the repository's own hooks; git is asked again, since that
 * setting may change (husky, pre-commit). Standard input is read only by the two hooks of ours that need it, and handed on.
 */
export const DISPATCHER = `#!/bin/sh
# Runs what this working tree adds to a hook, then the repository's own hook of the same name. Written by \`leoflow worktree\`.
name=\${0##*/}
here=\${0%/*}
private=\${here%/*}
common=\${private%/*/*/*}

find_own_hooks() {
  case $name in ${FREQUENT}) IFS= read -r own <"$private/own-hooks"; return ;; esac
  own=$common/hooks
  while IFS= read -r path; do [ "$path" = "$here" ] || own=$path; done <<END
$(git config --type=path --get-all core.hooksPath 2>/dev/null)
END
  [ -n "$own" ] || own=$common/hooks
}

hand_on() {
  find_own_hooks
  [ "$own" != "$here" ] && [ -f "$own/$name" ] && [ -x "$own/$name" ]
}

case $name in
reference-transaction)
  input=$(cat; echo .)
  input=\${input%.}
  [ "$1" = prepared ] && { printf '%s' "$input" | "$private/guard-refs" || exit 1; }
  # Once the branch is on the remote, it is what status and pull compare with.
  if [ "$1" = committed ] && [ ! -f "$private/upstream" ]; then
    { IFS= read -r branch; IFS= read -r remote; } <"$private/push-rules"
    case $input in *" refs/remotes/$remote/$branch"*) cp "$private/upstream-later" "$private/upstream" ;; esac
  fi
  hand_on || exit 0
  printf '%s' "$input" | "$own/$name" "$@"
  ;;
pre-push)
  input=$(cat; echo .)
  input=\${input%.}
  printf '%s' "$input" | "$private/guard-push" $PPID "$@" || exit 1
  hand_on || exit 0
  printf '%s' "$input" | "$own/$name" "$@"
  ;;
*)
  hand_on || exit 0
  exec "$own/$name" "$@"
  ;;
esac
`;

/** Refuses the stash, which all trees share, and the loss of a branch whose commits nothing else holds. */
export const GUARD_REFS = `#!/bin/sh
# Which refs this working tree may change. Written by \`leoflow worktree\`.
common=\${0%/*/*/*/*}

# \`git gc\` writes refs into one file as they are, then takes away their own files: no ref changes. A deletion of a packed ref holds the lock.
is_packing() {
  case $new in *[!0]*) [ "$(git rev-parse --verify --quiet "$ref")" = "$new" ]; return ;; esac
  [ ! -e "$common/packed-refs.lock" ] && grep -Fxq "$old $ref" "$common/packed-refs" 2>/dev/null
}

while read -r old new ref; do
  case $ref in
  refs/stash)
    is_packing && continue
    echo "leoflow: the stash is shared by all working trees, so it is refused in this one. Your files are as they were." >&2
    echo "  → keep work on the branch instead: git add -A && git commit -m wip   (later: git reset --soft HEAD~1)" >&2
    exit 1 ;;
  refs/heads/*)
    case $new in *[!0]*) continue ;; esac
    is_packing && continue
    case $old in *[!0]*) ;; *) old=$(git rev-parse --verify --quiet "$ref") || continue ;; esac
    [ "$(git rev-list -n 1 "$old" --not --exclude="\${ref#refs/heads/}" --branches --remotes --tags 2>/dev/null)" = "" ] && continue
    echo "leoflow: $ref has commits that no other branch, tag or remote holds: it is not deleted from this working tree." >&2
    echo "  → push it first, or delete it in the primary checkout" >&2
    exit 1 ;;
  esac
done
exit 0
`;

/** Only the tree's own branch, to the same name, at its own remote, forward only. `push-rules` holds: branch, remote, whether force is allowed, then patterns of further refs. */
export const GUARD_PUSH = `#!/bin/sh
# What may be pushed from this working tree. Written by \`leoflow worktree\`.
private=\${0%/*}
remote=$2
{ IFS= read -r branch; IFS= read -r own_remote; IFS= read -r force; patterns=$(cat); } <"$private/push-rules"

refuse() {
  echo "leoflow: refused to push: $1" >&2
  echo "  → $2" >&2
  exit 1
}

# Git does not tell the hook what a mirror or a prune deletes: only its arguments do.
case " $(ps -o args= -p "$1" 2>/dev/null) " in
*" --mi"* | *" --pru"*) refuse "a mirror or a prune deletes what others pushed" "git push" ;;
esac

is_allowed() {
  while IFS= read -r pattern; do
    [ -n "$pattern" ] || continue
    # shellcheck disable=SC2254
    case $1 in $pattern) return 0 ;; esac
  done <<END
$patterns
END
  return 1
}

while read -r local_ref local_id remote_ref remote_id; do
  own=no
  [ "$remote_ref" = "refs/heads/$branch" ] && own=yes
  [ $own = yes ] || is_allowed "$remote_ref" || refuse "$remote_ref is not this working tree's branch ($branch)" "make a tree for it (leoflow worktree new BRANCH), or allow it: push.allow in .leoflow/worktree.yaml"
  [ "$remote" = "$own_remote" ] || [ -z "$own_remote" ] || refuse "$remote is not this working tree's remote ($own_remote)" "git push $own_remote, or push from the primary checkout"
  case $local_id in *[!0]*) ;; *) refuse "$remote_ref would be deleted" "delete it from the primary checkout, or on the server" ;; esac
  if [ $own = yes ] && [ "$local_ref" != "refs/heads/$branch" ] && ! { [ "$local_ref" = HEAD ] && [ "$(git symbolic-ref -q HEAD)" = "refs/heads/$branch" ]; }; then
    refuse "$local_ref is not the branch $branch itself" "git push $own_remote $branch"
  fi
  case $remote_id in *[!0]*) ;; *) continue ;; esac
  [ $own = yes ] && [ "$force" = yes ] && continue
  git merge-base --is-ancestor "$remote_id" "$local_id" 2>/dev/null || refuse "$remote_ref has commits that yours has not: a push would take them away" "git pull --rebase first; if you mean to rewrite it: push.force in .leoflow/worktree.yaml, or push from the primary checkout"
done
exit 0
`;

/** Stands before git on PATH in a tree: no hook of git sees an entry of the stash go. Everything else goes straight to git. */
export const STASH_GUARD = `#!/bin/sh
# Keeps the stash of the other working trees. Written by \`leoflow worktree\`.
here=\${0%/*}
private=\${here%/*}
admin=\${private%/*}
path=
rest=$PATH
while [ -n "$rest" ]; do
  one=\${rest%%:*}
  case $rest in *:*) rest=\${rest#*:} ;; *) rest= ;; esac
  case $one in */leoflow/bin) continue ;; esac
  if [ -x "$one/git" ] && [ ! -d "$one/git" ]; then path=$one/git; break; fi
done
[ -n "$path" ] || { echo "git: not found on PATH" >&2; exit 127; }

command= verb= skip=no before=0
for arg in "$@"; do
  if [ -n "$command" ]; then case $arg in -*) continue ;; esac; verb=$arg; break; fi
  if [ $skip = yes ]; then skip=no; before=$((before + 1)); continue; fi
  case $arg in
  -C | -c | --git-dir | --work-tree | --namespace | --exec-path | --config-env | --super-prefix | --attr-source) skip=yes ;;
  -*) ;;
  stash) command=stash; continue ;;
  *) break ;;
  esac
  before=$((before + 1))
done
case $command$verb in
stashpop | stashdrop | stashclear | stashbranch)
  # Which repository is meant is said by the arguments before "stash".
  dir=$(total=$# i=0; while [ $i -lt $before ]; do set -- "$@" "$1"; shift; i=$((i + 1)); done; shift $((total - before)); "$path" "$@" rev-parse --absolute-git-dir 2>/dev/null)
  if [ "$dir" = "$admin" ]; then
    echo "leoflow: the stash is shared by all working trees: its entries are not taken away from this one." >&2
    echo "  → git stash list and git stash apply work; drop the entry in the checkout that made it" >&2
    exit 1
  fi ;;
esac
exec "$path" "$@"
`;
